"""The Transport header of RTSP: over which ports, group or channels a medium shall go, or goes.

In: a header's value. Out: `parse_transport`. Next: `rtsp`. Source: RFC 2326 12.39.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from classifier.evidence.message import MAX_VALUE

MAX_TRANSPORTS = 8
_MAX_PARAMETERS = 32

_SPEC = re.compile(r"([A-Za-z0-9]{1,16})/([A-Za-z0-9]{1,16})(?:/([A-Za-z0-9]{1,16}))?")
_RANGE = re.compile(r"([0-9]{1,5})(?: *- *([0-9]{1,5}))?")
_ADDRESS = re.compile(r"[0-9A-Za-z_.:\[\]%-]{1,255}")
_SSRC = re.compile(r"[0-9A-Fa-f]{1,8}")

Pair = tuple[int, int]
"""Two ports or channels, of RTP and RTCP; the second 0 where one alone was named."""


@dataclass(frozen=True, slots=True)
class Transport:
    """One transport. `lower`: "UDP" or "TCP" (or what else stands there); `cast`: "unicast", "multicast", "" where not
    said; `destination`, `source`: addresses, "" where not said; `mode`: "PLAY", "RECORD", "" where not said."""

    profile: str
    lower: str
    cast: str
    destination: str
    source: str
    client_port: Pair | None
    server_port: Pair | None
    port: Pair | None
    interleaved: Pair | None
    ttl: int | None
    ssrc: int | None
    mode: str


def parse_transport(value: str) -> tuple[Transport, ...]:
    """The transports of a Transport header, in its order; what cannot be read is passed over."""
    if len(value) >= MAX_VALUE:  # its end may be cut inside a number
        value = value[: max(value.rfind(";", 0, MAX_VALUE), value.rfind(",", 0, MAX_VALUE), 0)]
    found = []
    for text in value.split(",", MAX_TRANSPORTS)[:MAX_TRANSPORTS]:
        spec, *parameters = (part.strip() for part in text.split(";", _MAX_PARAMETERS)[:_MAX_PARAMETERS])
        match = _SPEC.fullmatch(spec)
        if match:
            found.append(_transport(match, parameters))
    return tuple(found)


def _transport(match: re.Match[str], parameters: list[str]) -> Transport:
    cast = ""
    named: dict[str, str] = {}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        key = key.strip().lower()
        if key in ("unicast", "multicast"):
            cast = key
        else:
            named.setdefault(key, value.strip().strip('"'))
    ttl, ssrc = named.get("ttl", ""), named.get("ssrc", "")
    return Transport(
        profile=f"{match[1]}/{match[2]}".upper(),
        lower=(match[3] or "UDP").upper(),
        cast=cast,
        destination=_address(named.get("destination", "")),
        source=_address(named.get("source", "")),
        client_port=_pair(named.get("client_port", ""), 65535),
        server_port=_pair(named.get("server_port", ""), 65535),
        port=_pair(named.get("port", ""), 65535),
        interleaved=_pair(named.get("interleaved", ""), 255),
        ttl=int(ttl) if re.fullmatch("[0-9]{1,3}", ttl) and int(ttl) <= 255 else None,
        ssrc=int(ssrc, 16) if _SSRC.fullmatch(ssrc) else None,
        mode=named.get("mode", "").upper() if named.get("mode", "").upper() in ("PLAY", "RECORD") else "",
    )


def _pair(value: str, most: int) -> Pair | None:
    found = _RANGE.fullmatch(value)
    if found is None:
        return None
    first, second = int(found[1]), int(found[2] or 0)
    return (first, second) if first <= most and second <= most else None


def _address(value: str) -> str:
    return value.strip("[]") if _ADDRESS.fullmatch(value) else ""
