"""zgrab2: its ftp and smtp modules over the list of addresses, all five ports in one run.

NOT TRIED: written by its documentation, since no build of it was at hand. Its default timeout, ten seconds, stays.
"""

import json

from judge import Claim

from . import PORTS, Tool

SECTIONS = {
    "ftp": ("ftp", ""),
    "smtp": ("smtp", ""),
    "submission": ("smtp", ""),
    "smtps": ("smtp", "smtps=true\n"),
    "ftps": ("ftp", "implicit-tls=true\n"),
}
# With these no connection stood.
NOT_OPEN = {"connection-refused", "connection-timeout", "unknown-error"}


class Zgrab2(Tool):
    name = program = "zgrab2"
    names = False

    def version(self):
        return "version not told"

    def command(self, job):
        config = job.folder / "multiple.ini"
        with open(config, "w", encoding="utf-8") as ini:
            options = {"input-file": job.hosts, "output-file": job.folder / "out.ndjson", "senders": job.concurrency}
            ini.write("[Application Options]\n")
            ini.writelines(f'{key}="{value}"\n' for key, value in options.items())
            for port, service in PORTS.items():
                module, more = SECTIONS[service]
                ini.write(f'[{module}]\nname="{service}"\nport={port}\n{more}')
        return [self.path(), "multiple", "-c", config]

    def claims(self, job):
        ports = {service: port for port, service in PORTS.items()}
        with open(job.folder / "out.ndjson", encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                for service, answer in record["data"].items():
                    if answer["status"] not in NOT_OPEN:
                        banner = (answer.get("result") or {}).get("banner")
                        yield Claim(record["ip"], ports[service], banner.encode() if banner else None)
