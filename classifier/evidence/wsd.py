"""WS-Discovery: how ONVIF cameras are searched for and answer.

In: UDP payloads. Out: `parse_wsd`. Sources: OASIS WS-Discovery 1.1 (and the 2005/04 draft that ONVIF uses) 4 to 6,
ONVIF Core 7.3 (types and scopes). The bytes are searched for elements; no XML parser runs, so no entity is expanded and
nothing is loaded. Prefixes are free in XML, so elements are recognized by their local names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from classifier.evidence.text import place_of, text_of

MAX_ELEMENTS = 32  # of one name: matches in one answer
MAX_LISTED = 32  # types and hosts kept
MAX_SCOPE = 128

_ENVELOPES = (b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/")
_NAMESPACES = (
    b"http://schemas.xmlsoap.org/ws/2005/04/discovery",
    b"http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01",
)
_KINDS = ("Hello", "Bye", "Probe", "ProbeMatches", "Resolve", "ResolveMatches")
_PREFIX = rb"<(?:[A-Za-z0-9_.-]{1,32}:)?"
_FIRST = re.compile(
    rb"\s{0,64}(?:<\?xml[^<>]{0,256}\?>\s{0,64}(?:<!--[^<>]{0,512}-->\s{0,64})?)?" + _PREFIX + rb"Envelope[\s>]"
)
_END = re.compile(rb"</(?:[A-Za-z0-9_.-]{1,32}:)?Envelope\s{0,16}>")
_ACTION, _TYPES, _ADDRESSES, _SCOPES = (
    # a value counts only when the next tag has begun: else it may be cut
    re.compile(_PREFIX + name + rb"(?:\s[^<>]{0,1024})?>([^<]{1,8192})<")
    for name in (b"Action", b"Types", b"XAddrs", b"Scopes")
)
_BODY = re.compile(_PREFIX + rb"(Hello|Bye|Probe|ProbeMatches|Resolve|ResolveMatches)[\s/>]")
_SCOPE = "onvif://www.onvif.org/"


@dataclass(frozen=True, slots=True)
class Wsd:
    """A message. `types`: as written, with their prefixes; `hosts`: host:port of the service addresses.

    `hardware`, `name`: of the first ONVIF scopes that say so, else "". `cut`: the message's end is not there.
    """

    kind: str  # "Hello", "Bye", "Probe", "ProbeMatches", "Resolve", "ResolveMatches"
    types: tuple[str, ...]
    hosts: tuple[str, ...]
    hardware: str
    name: str
    cut: bool

    @property
    def is_camera(self) -> bool:
        """Whether an ONVIF video transmitter is meant: searched for in a Probe, announced in the others."""
        return any(kind.rpartition(":")[2] == "NetworkVideoTransmitter" for kind in self.types)


def parse_wsd(payload: bytes) -> Wsd | None:
    """The WS-Discovery message that a datagram is, None when it is none. With or without the XML prolog."""
    start = payload[:3] == b"\xef\xbb\xbf"
    if not _FIRST.match(payload, 3 * start):
        return None
    if not any(uri in payload for uri in _ENVELOPES) or not any(uri in payload for uri in _NAMESPACES):
        return None
    kind = _kind(payload)
    if not kind:
        return None
    scopes = _words(_SCOPES, payload)
    return Wsd(
        kind,
        tuple(text_of(word) for word in _words(_TYPES, payload)[:MAX_LISTED]),
        tuple(dict.fromkeys(filter(None, (place_of(text_of(word)) for word in _words(_ADDRESSES, payload)))))[
            :MAX_LISTED
        ],
        _scope(scopes, "hardware/"),
        _scope(scopes, "name/"),
        _END.search(payload) is None,
    )


def _kind(payload: bytes) -> str:
    """From the action, which stands in the header; from the body's element where that is missing."""
    action = _ACTION.search(payload)
    if action:
        uri, _, said = text_of(action[1].strip()).rpartition("/")
        return said if said in _KINDS and uri.encode() in _NAMESPACES else ""
    body = _BODY.search(payload)
    return body[1].decode() if body else ""


def _words(pattern: re.Pattern[bytes], payload: bytes) -> list[bytes]:
    """The words of all elements of a name."""
    words: list[bytes] = []
    for number, found in enumerate(pattern.finditer(payload)):
        if number == MAX_ELEMENTS:
            break
        words += found[1].split()
    return words


def _scope(scopes: list[bytes], key: str) -> str:
    """The value of the first ONVIF scope of that kind, percent-decoded."""
    begin = (_SCOPE + key).encode()
    for scope in scopes:
        if scope.startswith(begin):
            return text_of(unquote_to_bytes(scope[len(begin) : len(begin) + 3 * MAX_SCOPE]), MAX_SCOPE)
    return ""
