"""hailer: once with the patience that the other tools have by default, once as it comes.

What differs is how long a server may take to greet: ten seconds, as in zgrab2 and masscan, or half a minute, which slow
mail servers do need. A server that never greets is waited for so long, so that is what a sweep takes at least.
"""

import json

from judge import OPEN, Claim, unescape

from . import PORTS, Tool


class Hailer(Tool):
    name, program = "hailer, 10 s", "hailer"
    patience = ["--greeting-timeout", "10s"]

    def __init__(self, path):
        self.given = path

    def path(self):
        return self.given

    def command(self, job):
        ports = ",".join(f"{port}={service}" for port, service in PORTS.items())
        words = ["scan", f"@{job.hosts}", "-p", ports, "--concurrency", str(job.concurrency), "-o", job.folder / "rows.ndjson"]
        return [self.path(), *words, *self.patience]

    def claims(self, job):
        with open(job.folder / "rows.ndjson", encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                if row["outcome"] in OPEN:
                    greeting = unescape(row.get("banner", "")) if row["outcome"] == "greeted" else None
                    yield Claim(row["ip"], row["port"], greeting, row.get("software"))


class Patient(Hailer):
    name = "hailer"
    patience = []
