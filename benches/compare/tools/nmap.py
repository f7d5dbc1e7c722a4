"""nmap: ports by SYN, then services by its database of probes, at the default intensity and at the lightest.

-n and -Pn because no tool here looks names up or asks first whether a host is up; -T4 is what its manual recommends for
fast networks. It opens as many connections at once as it sees fit. It tells no greetings in the output that people read.
"""

import xml.etree.ElementTree as xml

from judge import Claim

from . import PORT_LIST, Tool


class Nmap(Tool):
    name, program = "nmap -sV", "nmap"
    greets, is_slow = False, True
    intensity = []

    def command(self, job):
        words = ["-sS", "-sV", *self.intensity, "-n", "-Pn", "-T4", "-p", PORT_LIST]
        return [self.path(), *words, "-iL", job.hosts, "-oX", job.folder / "out.xml"]

    def claims(self, job):
        for host in xml.parse(job.folder / "out.xml").iter("host"):
            ip = host.find("address").get("addr")
            for port in host.iter("port"):
                if port.find("state").get("state") == "open":
                    service = port.find("service")
                    product = service.get("product") if service is not None else None
                    yield Claim(ip, int(port.get("portid")), software=product)


class Light(Nmap):
    name, intensity = "nmap -sV --version-light", ["--version-light"]
