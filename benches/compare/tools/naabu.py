"""naabu: open ports by SYN, at its default rate of a thousand packets a second.

NOT TRIED: written by its documentation, since no build of it was at hand.
"""

import json

from judge import Claim

from . import PORT_LIST, Tool


class Naabu(Tool):
    name = program = "naabu"
    greets = names = False
    version_words = ("-version",)

    def command(self, job):
        words = ["-list", job.hosts, "-p", PORT_LIST, "-scan-type", "s", "-Pn", "-rate", "1000"]
        return [self.path(), *words, "-json", "-o", job.folder / "out.ndjson", "-silent", "-disable-update-check"]

    def claims(self, job):
        with open(job.folder / "out.ndjson", encoding="utf-8") as lines:
            for record in map(json.loads, lines):
                port = record["port"]
                yield Claim(record["ip"], port["Port"] if isinstance(port, dict) else port)
