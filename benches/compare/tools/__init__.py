"""The scanners, a module each, in the order of the table.

A tool says how it is started, with the settings that its own documentation gives for such a sweep and why, and reads its own
output as a user would. It is never installed from here.
"""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from measure import at_home

# Port and service, as `hailer fleet --usual-ports` has them.
PORTS = {21: "ftp", 25: "smtp", 465: "smtps", 587: "submission", 990: "ftps"}
# Some look for a newer release of themselves first, in vain.
VERSION_SECONDS = 30
PORT_LIST = ",".join(map(str, PORTS))


class Job(NamedTuple):
    """One run over the fleet."""

    # The run's own, and empty.
    folder: Path
    # The fleet's addresses, one a line.
    hosts: Path
    # How many connections at once, where a tool can be told.
    concurrency: int


class Tool:
    """What each has in common."""

    name = program = ""
    # Whether its output has greetings, and names of software.
    greets = names = True
    # Whether it is given a part of the fleet only, since it takes minutes for that.
    is_slow = False
    version_words = ("--version",)

    def path(self):
        """Where the program is; None where it is not installed."""
        return shutil.which(self.program)

    def version(self, within, folder):
        """What it says of itself, on a line; asked behind the words that lead to where it is run, in that folder."""
        try:
            said = subprocess.run(
                [*within, self.path(), *self.version_words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=VERSION_SECONDS, check=False, cwd=folder, env=at_home(folder),
            )
        except subprocess.TimeoutExpired:
            return "version unknown: it does not end when it is asked"
        lines = [line.strip() for line in (said.stdout + said.stderr).splitlines()]
        return next((line for line in lines if any(letter.isdigit() for letter in line)), "version unknown")

    def command(self, job):
        """The words to run, with what they need made in the job's folder."""
        raise NotImplementedError

    def claims(self, job):
        """What it found."""
        raise NotImplementedError


def every(hailer):
    """All of them; hailer is the program that the fleet is served by, too."""
    from . import hailer as own
    from . import masscan, naabu, nmap, rustscan, zgrab2

    return [
        own.Hailer(hailer),
        own.Patient(hailer),
        nmap.Nmap(),
        nmap.Light(),
        masscan.Masscan(),
        zgrab2.Zgrab2(),
        rustscan.RustScan(),
        naabu.Naabu(),
    ]
