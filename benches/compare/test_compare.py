"""How claims are judged, names compared, outputs read and programs measured: `python3 -m unittest discover benches/compare`.

The outputs are written for these tests, in the shape that the tools' own have. zgrab2 and naabu have none: nobody has seen
theirs here.
"""

import os
import sys
import tempfile
import unittest
import unittest.mock
from pathlib import Path

sys.dont_write_bytecode = True

import judge
import measure
import names
from judge import Claim
from tools import Job, every
from tools.hailer import Hailer
from tools.masscan import Masscan
from tools.nmap import Nmap
from tools.rustscan import RustScan


def truth(outcome, **more):
    return {"outcome": outcome, **more}


class Judging(unittest.TestCase):
    def test_every_endpoint_is_counted_once(self):
        truths = {
            ("10.0.0.1", 21): truth("greeted", banner=r"220 (vsFTPd 3.0.5)\r\n", software="vsftpd"),
            ("10.0.0.2", 21): truth("greeted", banner=r"220 ready\r\n"),
            ("10.0.0.3", 25): truth("greeted", banner=r"220 a Postfix\r\n", software="Postfix"),
            ("10.0.0.4", 25): truth("greeted", banner=r"220 a Exim\r\n", software="Exim"),
            ("10.0.0.5", 25): truth("silent"),
            ("10.0.0.6", 25): truth("refused"),
            ("10.0.0.7", 25): truth("timeout"),
        }
        claims = [
            Claim("10.0.0.1", 21, b"220 (vsFTPd 3.0.5)\r\n", "vsftpd"),
            Claim("10.0.0.2", 21, b"220 read", "Serv-U ftpd"),
            Claim("10.0.0.3", 25, b"220 a Postfix\r\n", "Sendmail"),
            Claim("10.0.0.6", 25),
            Claim("10.9.9.9", 25),
        ]
        score, wrong = judge.judge(truths, claims)
        self.assertEqual(score._asdict(), {
            "endpoints": 7, "open": 5, "found": 3, "lost": 2, "extra": 2, "greetings": 4, "right": 2,
            "nameable": 3, "named": 1, "misnamed": 1, "unnamed": 1,
        })
        self.assertEqual(wrong, [r"10.0.0.3:25 is Postfix, called Sendmail: 220 a Postfix\r\n"])

    def test_a_greeting_is_right_as_a_whole(self):
        one = truth("greeted", banner=r"220-a\r\n220 b\r\n")
        two = {**one, "or": {"banner": r"220 \xfc\\\r\n"}}
        long = truth("greeted", banner="220-a", truncated=True)
        table = [
            (one, b"220-a\r\n220 b\r\n", True),
            (one, b"220-a\n220 b", True),
            (one, b"220-a\r\n220 b\r\n250 more\r\n", True),
            (one, b"220-a\r\n220 bc\r\n", False),
            (one, b"220-a\r\n", False),
            (one, b"", False),
            (one, None, False),
            (one, b"220 \xfc\\\r\n", False),
            (two, b"220 \xfc\\\r\n", True),
            (long, b"220-abc", True),
        ]
        for expected, greeting, is_right in table:
            with self.subTest(greeting=greeting):
                self.assertEqual(judge.is_greeting(expected, greeting), is_right)

    def test_names_are_compared_by_what_is_theirs(self):
        table = [
            ("Postfix smtpd", "Postfix", True),
            ("Microsoft ftpd", "Microsoft IIS FTP Microsoft", True),
            ("netqmail smtpd", "qmail", True),
            ("Sendmail", "Postfix", False),
            ("FTP server", "Some FTP Server", False),
            ("mail server", "Exim", False),
        ]
        for called, true, same in table:
            with self.subTest(called=called):
                self.assertEqual(names.is_same(called, true), same)


class Reading(unittest.TestCase):
    def claims(self, tool, name, text):
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, name).write_text(text, encoding="utf-8")
            return list(tool.claims(Job(Path(folder), Path(folder, "hosts"), 10)))

    def test_hailer(self):
        rows = (
            '{"ip":"10.0.0.1","port":25,"outcome":"greeted","banner":"220 a\\\\r\\\\n","software":"Exim"}\n'
            '{"ip":"10.0.0.1","port":21,"outcome":"silent"}\n{"ip":"10.0.0.1","port":990,"outcome":"local_error"}\n'
        )
        expected = [Claim("10.0.0.1", 25, b"220 a\r\n", "Exim"), Claim("10.0.0.1", 21)]
        self.assertEqual(self.claims(Hailer("hailer"), "rows.ndjson", rows), expected)

    def test_nmap(self):
        port = '<port protocol="tcp" portid="{}"><state state="{}"/>{}</port>'
        ports = [
            port.format(21, "open", '<service name="ftp" product="vsftpd"/>'),
            port.format(25, "open", ""),
            port.format(465, "filtered", ""),
        ]
        text = f'<nmaprun><host><address addr="10.0.0.1"/><ports>{"".join(ports)}</ports></host></nmaprun>'
        expected = [Claim("10.0.0.1", 21, software="vsftpd"), Claim("10.0.0.1", 25)]
        self.assertEqual(self.claims(Nmap(), "out.xml", text), expected)

    def test_masscan(self):
        record = '{{ "ip": "10.0.0.1", "ports": [ {{"port": {}, "proto": "tcp", {}}} ] }}\n,\n'
        banner = '"service": {{"name": "{}", "banner": "{}"}}'
        text = "[\n" + "".join([
            record.format(21, '"status": "open"'),
            record.format(21, banner.format("ftp", "220-Gr\\u00fc")),
            record.format(21, banner.format("ftp", "220-Gr\\u00fc\\u000a220 b")),
            record.format(465, banner.format("ssl", "TLS/1.2")),
        ]) + "]\n"
        expected = [Claim("10.0.0.1", 21, b"220-Gr\xfc\n220 b"), Claim("10.0.0.1", 465)]
        self.assertEqual(self.claims(Masscan(), "out.json", text), expected)

    def test_rustscan(self):
        text = "something else\n10.0.0.1 -> [21,25]\n10.0.0.2 -> [990]\n"
        expected = [Claim("10.0.0.1", 21), Claim("10.0.0.1", 25), Claim("10.0.0.2", 990)]
        self.assertEqual(self.claims(RustScan(), "log", text), expected)

    def test_every_tool_has_words(self):
        with tempfile.TemporaryDirectory() as folder:
            for tool in every(Path("/hailer")):
                tool.path = lambda: "program"
                words = [str(word) for word in tool.command(Job(Path(folder), Path("hosts-file"), 10))]
                told = " ".join(words) + "".join(path.read_text() for path in Path(folder).iterdir())
                self.assertIn("hosts-file", told, tool.name)


@unittest.skipUnless(hasattr(os, "pidfd_open"), "needs Linux")
class Measuring(unittest.TestCase):
    def test_what_ends_by_itself(self):
        self.assertEqual(self.run_for(60, "exit 3").code, 3)

    def test_what_has_to_be_ended(self):
        usage = self.run_for(0, "tail -f /dev/null & exec tail -f /dev/null")
        self.assertIsNone(usage.code)
        self.assertGreater(usage.mib, 0)

    def test_it_is_at_home_in_its_folder(self):
        with unittest.mock.patch.dict(os.environ, XDG_CONFIG_HOME="/elsewhere"):
            self.assertEqual(self.run_for(60, 'touch here && cd && test -e here && test -z "$XDG_CONFIG_HOME"').code, 0)

    def run_for(self, timeout, line):
        with open(os.devnull, "wb") as nowhere, tempfile.TemporaryDirectory() as folder:
            return measure.run(["sh", "-c", line], timeout, nowhere, folder)


class Versions(unittest.TestCase):
    def version(self, *within):
        tool = Nmap()
        tool.path = lambda: "--version"
        with tempfile.TemporaryDirectory() as folder:
            return tool.version(within, folder)

    def test_the_line_with_a_digit_counts(self):
        self.assertEqual(self.version("printf", "hello %s\\nNmap 7.93\\n"), "Nmap 7.93")

    def test_who_does_not_end_has_none(self):
        with unittest.mock.patch("tools.VERSION_SECONDS", 0.01):
            self.assertIn("version unknown", self.version("sh", "-c", "exec tail -f /dev/null"))


if __name__ == "__main__":
    unittest.main()
