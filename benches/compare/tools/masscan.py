"""masscan: ports by SYN from a TCP of its own, and what they say: to EHLO, STARTTLS and AUTH TLS, too.

--source-ip is an address that the kernel does not have, so that it resets none of masscan's connections; its manual's first
way. A thousand packets a second are as many endpoints as the others begin in the same time, and --retries sends SYNs
again that were lost. It waits as long for banners (--wait) as connections may last (--connection-timeout): ten seconds, its
default for the one, which is longer than any server here takes that speaks at all.
"""

import json

from judge import Claim
from lab import INTERFACE, SPARE

from . import PORT_LIST, Tool


class Masscan(Tool):
    name = program = "masscan"
    names = False

    def command(self, job):
        words = ["--banners", "-p", PORT_LIST, "--rate", "1000", "--retries", "1", "--wait", "10", "--connection-timeout", "10"]
        own = ["--interface", INTERFACE, "--source-ip", SPARE]
        return [self.path(), *words, *own, "-iL", job.hosts, "-oJ", job.folder / "out.json"]

    def claims(self, job):
        # One record a line, with commas that need not be right.
        merged = {}
        for line in (job.folder / "out.json").read_text(encoding="utf-8", errors="replace").splitlines():
            if not line.startswith("{"):
                continue
            record = json.loads(line.rstrip(","))
            for port in record["ports"]:
                place = record["ip"], port["port"]
                service = port.get("service", {})
                # What it makes of TLS is no greeting.
                banner = "" if service.get("name") in (None, "ssl", "X509", "X509CA") else service["banner"]
                # Several records of one port are one connection, at several times, or several.
                merged[place] = max(merged.get(place, ""), banner, key=len)
        for (ip, port), banner in merged.items():
            # A character for each byte.
            yield Claim(ip, port, banner.encode("latin-1", "replace") or None)
