"""SQL Server Resolution Protocol, UDP 1434: which TCP port a SQL Server instance listens on.

In: a UDP payload. Out: `parse_reply` and `parse_request`; the collector turns replies into learned endpoints. Source:
Microsoft [MC-SQLR] 2.2.1 to 2.2.6. Field order in real replies differs from the grammar there (np before tcp and tcp
before np both exist), records hold empty fields, and replies are cut by snaplens and fragments, so a record is found by
its fixed head and a port counts only with its closing semicolon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from classifier.evidence.text import text_of

MAX_NAME = 32  # bytes of an instance name in a request

_START = b"ServerName;"
_HEAD = re.compile(
    rb"ServerName;([^;]{0,255});InstanceName;([^;]{0,255});IsClustered;([^;]{0,16});Version;([^;]{0,32});"
)
_TCP = re.compile(rb"tcp;([0-9]{1,5});")
_DAC = b"\x05\x06\x00\x01"  # here the size is that of the whole packet


@dataclass(frozen=True, slots=True)
class Instance:
    """One record of a reply. `tcp_port`: None when none is usable (none named, 0, or cut off)."""

    server: str
    instance: str
    version: str
    tcp_port: int | None


@dataclass(frozen=True, slots=True)
class Reply:
    """SVR_RESP. `dac_port`: of a reply to a DAC request.

    `truncated`: its size field promises more than is there; `mismatch`: less than is there.
    """

    instances: tuple[Instance, ...]
    truncated: bool
    dac_port: int | None = None
    mismatch: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """CLNT_BCAST_EX, CLNT_UCAST_EX, CLNT_UCAST_INST or CLNT_UCAST_DAC.

    `malformed`: bytes too many, or no name. `over_long`: the name is longer than allowed, as in the datagrams of the
    SQL Slammer worm (376 bytes that begin with 04); nothing is learned from it, `instance` is "".
    """

    kind: str  # "broadcast", "all", "instance", "dac"
    instance: str
    malformed: bool
    over_long: bool = False


def parse_reply(payload: bytes) -> Reply | None:
    """The reply in a UDP payload, None when it is none."""
    if len(payload) < 3 or payload[0] != 5:
        return None
    if payload[:4] == _DAC and len(payload) <= 6:
        dac_port = int.from_bytes(payload[4:6], "little") if len(payload) == 6 else 0
        return Reply((), len(payload) < 6, dac_port or None)
    if not _START.startswith(payload[3 : 3 + len(_START)]):
        return None
    size = int.from_bytes(payload[1:3], "little")
    heads = list(_HEAD.finditer(payload, 3))
    instances = []
    for match, following in zip(heads, [*heads[1:], None], strict=False):  # the last one has none after it
        end = following.start() if following else len(payload)
        port: int | None = None
        # the head ends with ";", so "tcp" right after it or after another ";" is the start of a field
        for found in _TCP.finditer(payload, match.end(), end):
            if payload[found.start() - 1] == 0x3B:
                value = int(found[1])
                port = value if 1 <= value <= 65535 else None
                break
        instances.append(Instance(text_of(match[1]), text_of(match[2]), text_of(match[4]), port))
    there = len(payload) - 3
    return Reply(tuple(instances), size > there, None, size < there)


def parse_request(payload: bytes) -> Request | None:
    """The request in a UDP payload, None when it is none."""
    if not payload:
        return None
    kind = payload[0]
    if kind == 2:
        return Request("broadcast", "", len(payload) != 1)
    if kind == 3:
        return Request("all", "", len(payload) != 1)
    if kind == 4 or (kind == 0x0F and payload[1:2] == b"\x01"):
        rest = payload[1:] if kind == 4 else payload[2:]
        name, _, behind = rest.partition(b"\0")
        said = "instance" if kind == 4 else "dac"
        if len(name) > MAX_NAME:
            return Request(said, "", True, True)
        return Request(said, text_of(name), not name or bool(behind))
    return None
