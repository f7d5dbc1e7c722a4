"""What scanners claim, held against what is true of the fleet."""

import json
import re
from typing import NamedTuple

from names import is_same

# The connection stands in these, whatever comes then: the port is open.
OPEN = {"greeted", "other_protocol", "tls_failed", "reset", "closed", "silent"}


class Claim(NamedTuple):
    """What a scanner says of an endpoint that it takes for open."""

    ip: str
    port: int
    # And what followed, as far as the tool tells; None where it does not.
    greeting: "bytes | None" = None
    software: "str | None" = None


class Score(NamedTuple):
    """Endpoints: all; open ones; of these, found and lost; claimed to be open though they are not.

    Greetings: all; told whole and right. Servers that say who they are: all; named, misnamed and unnamed.
    """

    endpoints: int
    open: int
    found: int
    lost: int
    extra: int
    greetings: int
    right: int
    nameable: int
    named: int
    misnamed: int
    unnamed: int


def read_truths(path):
    """By address and port."""
    with open(path, encoding="utf-8") as lines:
        truths = [json.loads(line) for line in lines]
    return {(truth["ip"], truth["port"]): truth for truth in truths}


def judge(truths, claims):
    """The score, and a line for each name that is wrong."""
    claims = {(claim.ip, claim.port): claim for claim in claims}
    is_open = {place for place, truth in truths.items() if truth["outcome"] in OPEN}
    greeted = [(truth, claims.get(place)) for place, truth in truths.items() if truth["outcome"] == "greeted"]
    right = sum(1 for truth, claim in greeted if claim and is_greeting(truth, claim.greeting))
    verdicts = [(naming(truth, claim), truth, claim) for truth, claim in greeted]
    of_names = [verdict for verdict, _, _ in verdicts]
    found = len(is_open & claims.keys())
    score = Score(
        endpoints=len(truths),
        open=len(is_open),
        found=found,
        lost=len(is_open) - found,
        extra=len(claims.keys() - is_open),
        greetings=len(greeted),
        right=right,
        nameable=len(greeted) - of_names.count(None),
        named=of_names.count("named"),
        misnamed=of_names.count("misnamed"),
        unnamed=of_names.count("unnamed"),
    )
    wrong = [
        f"{claim.ip}:{claim.port} is {truth.get('software')}, called {claim.software}: {truth['banner']}"
        for verdict, truth, claim in verdicts
        if verdict == "misnamed"
    ]
    return score, wrong


def answers(truth):
    """One, or two where two servers take turns."""
    return [truth, truth["or"]] if "or" in truth else [truth]


def is_greeting(truth, greeting):
    """Whether that begins with the whole greeting, line ends apart: some tools have only LF, some go on with the dialogue."""
    if greeting is None:
        return False
    heard = greeting.replace(b"\r", b"").rstrip(b"\n") + b"\n"
    for answer in answers(truth):
        banner = unescape(answer.get("banner", "")).replace(b"\r", b"").rstrip(b"\n")
        # Of a very long one even the truth has only the beginning.
        if heard.startswith(banner if answer.get("truncated") else banner + b"\n"):
            return True
    return False


def naming(truth, claim):
    """`named`, `misnamed` or `unnamed` where a server says who it is. Where it does not, a tool may still know: no verdict."""
    products = [
        " ".join(answer.get(key, "") for key in ("software", "vendor", "device"))
        for answer in answers(truth)
        if answer.get("software")
    ]
    called = claim.software if claim else None
    if not products:
        return None
    if called is None:
        return "unnamed"
    return "named" if any(is_same(called, product) for product in products) else "misnamed"


def unescape(text):
    """The bytes behind `\\r`, `\\n`, `\\\\` and `\\xNN`, as truths and rows escape them."""
    plain = {b"r": b"\r", b"n": b"\n", b"\\": b"\\"}
    escapes = rb"\\(?:x([0-9a-f]{2})|([rn\\]))"
    return re.sub(escapes, lambda found: bytes.fromhex(found[1].decode()) if found[1] else plain[found[2]], text.encode())
