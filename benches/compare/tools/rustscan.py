"""RustScan: open ports by connecting; --scripts none keeps it from starting nmap on them.

The batch is how many connections it has at once, and four seconds are what hailer gives a connection.
"""

import re

from judge import Claim

from . import PORT_LIST, Tool


class RustScan(Tool):
    name, program = "RustScan", "rustscan"
    greets = names = False

    def command(self, job):
        words = ["--no-config", "-a", job.hosts, "-p", PORT_LIST, "-b", str(job.concurrency), "-t", "4000"]
        return [self.path(), *words, "--ulimit", str(job.concurrency + 1000), "--scripts", "none", "--greppable"]

    def claims(self, job):
        said = (job.folder / "log").read_text(encoding="utf-8", errors="replace")
        for ip, ports in re.findall(r"^([\d.]+) -> \[([\d, ]+)\]", said, re.MULTILINE):
            for port in ports.split(","):
                yield Claim(ip, int(port))
