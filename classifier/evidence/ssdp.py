"""SSDP: searches, answers and announcements of UPnP devices, among them cameras.

In: UDP payloads. Out: `parse_ssdp`. Source: UPnP Device Architecture 2.0, 1.2 (NOTIFY) and 1.3 (M-SEARCH and its
answers, which come to the searcher's own port, from any port).
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.evidence.text import place_of

MAX_WAIT = 120  # seconds; UPnP 1.1 allows a searcher to ask for up to 5, older ones for up to 120
MAX_VALUE = 255


@dataclass(frozen=True, slots=True)
class Ssdp:
    """A message. `target`: what is searched for, announced or answering (ST or NT); `usn`: the device's own name.

    `location`: host:port of the device's description; `server`: its system and product; `wait`: MX of a search in
    seconds, -1 when not said; `leaving`: an announcement of ssdp:byebye. Text is "" when not said.
    """

    kind: str  # "search", "notify", "reply"
    target: str
    usn: str
    location: str
    server: str
    wait: int
    leaving: bool


def parse_ssdp(payload: bytes) -> Ssdp | None:
    """The SSDP message that a datagram begins with, None when there is none.

    A reply looks like any answer of a web server until its ST header.
    """
    from classifier.evidence.message import parse_head

    head = parse_head(payload)
    if head is None or head.protocol != "HTTP":
        return None
    target, sub_type = head.header("st"), head.header("nts")
    if head.kind == "reply":
        if head.status != 200 or not target:
            return None
        kind = "reply"
    elif head.method == "M-SEARCH" and head.target == "*":
        kind = "search"
    elif head.method == "NOTIFY" and head.target == "*":  # with a path it is an event of GENA
        kind, target = "notify", head.header("nt")
    else:
        return None
    wait = head.header("mx")
    return Ssdp(
        kind,
        target[:MAX_VALUE],
        head.header("usn")[:MAX_VALUE],
        place_of(head.header("location")),
        head.header("server")[:MAX_VALUE],
        min(int(wait), MAX_WAIT) if wait.isascii() and wait.isdigit() and len(wait) < 6 else -1,
        sub_type.lower() == "ssdp:byebye",
    )
