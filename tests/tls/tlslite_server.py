"""Servers of TLS by tlslite-ng, for what OpenSSL has given up.

One line of JSON on stdin says which; for each, `ID PORT` goes to stdout. It serves until stdin ends. What is said inside
TLS is what `dialogue.rs` says too. Nothing here is to be used but by tests: keys and ciphers are as bad as can be had.
"""

import json
import os
import socket
import sys
import threading

from tlslite.api import HandshakeSettings, TLSConnection, X509, X509CertChain, parsePEMKey
from tlslite.errors import TLSError

VERSIONS = {"SSLv3": (3, 0), "TLSv1.0": (3, 1), "TLSv1.1": (3, 2), "TLSv1.2": (3, 3), "TLSv1.3": (3, 4)}


def settings_of(table):
    """What a handshake is allowed to be. Everything that is not said is as the library has it."""
    settings = HandshakeSettings()
    settings.minKeySize = 512
    oldest, newest = table.pop("versions")
    settings.minVersion, settings.maxVersion = VERSIONS[oldest], VERSIONS[newest]
    names = {
        "ciphers": "cipherNames",
        "macs": "macNames",
        "exchanges": "keyExchangeNames",
        "curves": "eccCurves",
        "encrypt_then_mac": "useEncryptThenMAC",
        "master_secret": "useExtendedMasterSecret",
    }
    if "dh_prime" in table:
        settings.dhParams = (2, int(table.pop("dh_prime"), 16))
    for key in list(table):
        if key in names:
            setattr(settings, names[key], table.pop(key))
    if settings.maxVersion < (3, 4):
        settings.keyShares = []
    return settings


class Server:
    """One configuration."""

    def __init__(self, table):
        options = table["settings"]
        self.settings = settings_of(options)
        self.anonymous = options.pop("anonymous", False)
        self.asks_for_certificate = options.pop("asks_for_certificate", False)
        self.record_size = options.pop("record_size", None)
        assert not options, "unknown settings: %s" % options
        self.table = table
        self.chain = self.key = None
        if table["key"]:
            with open(table["key"] + ".pem") as pem:
                certificate = X509()
                certificate.parse(pem.read())
            with open(table["key"] + ".der", "rb") as der:
                certificate.bytes = bytearray(der.read())
            self.chain = X509CertChain([certificate])
            with open(table["key"] + ".key") as pem:
                self.key = parsePEMKey(pem.read(), private=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            stream, _ = self.listener.accept()
            threading.Thread(target=self.converse, args=(stream,), daemon=True).start()

    def converse(self, stream):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if not self.table["implicit"] and not self.open_the_door(stream):
                return
            session = TLSConnection(stream)
            session.closeSocket = True
            if self.record_size:
                session.recordSize = self.record_size
            session.handshakeServer(
                certChain=self.chain,
                privateKey=self.key,
                reqCert=self.asks_for_certificate,
                anon=self.anonymous,
                settings=self.settings,
            )
            if self.table["implicit"]:
                session.sendall(self.table["greeting"].encode())
            while self.answer(session, self.line(session), inside=True):
                pass
            session.close()
        except (TLSError, OSError, EOFError):
            pass
        finally:
            stream.close()

    def open_the_door(self, stream):
        stream.sendall(self.table["greeting"].encode())
        while True:
            line = self.line(stream)
            if line.startswith((b"STARTTLS", b"AUTH")):
                stream.sendall(b"220 go ahead\r\n" if line.startswith(b"S") else b"234 go ahead\r\n")
                return True
            if not self.answer(stream, line, inside=False):
                return False

    def answer(self, stream, line, inside):
        """Whether there is more to be said."""
        offer = self.table["secret"] if inside else "X-CLEAR"
        verb = line.split(b" ")[0].strip()
        if verb == b"EHLO":
            upgrade = "SIZE" if inside else "STARTTLS"
            words = "250-%s\r\n250-%s\r\n250 %s\r\n" % (self.table["host"], upgrade, offer)
        elif verb == b"FEAT":
            words = "211-Features:\r\n AUTH TLS\r\n %s\r\n211 End\r\n" % offer
        elif verb == b"SYST":
            words = "215 UNIX Type: L8\r\n"
        elif verb == b"QUIT":
            words = "221 bye\r\n"
        else:
            words = "502 not here\r\n"
        stream.sendall(words.encode())
        return verb != b"QUIT"

    @staticmethod
    def line(stream):
        line = b""
        while not line.endswith(b"\n"):
            byte = stream.recv(1)
            if not byte:
                raise EOFError
            line += bytes(byte)
        return line


def main():
    for table in json.loads(sys.stdin.readline()):
        server = Server(table)
        print(table["id"], server.listener.getsockname()[1], flush=True)
    sys.stdin.read()
    os._exit(0)


main()
