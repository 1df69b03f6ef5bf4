"""SQL Server Resolution Protocol, UDP 1434: which TCP port a SQL Server instance listens on.

In: a UDP payload. Out: `parse_reply` and `parse_request`. Source: Microsoft [MC-SQLR] 2.2.1 to 2.2.6. Field order in
real replies differs from the grammar there (np before tcp and tcp before np both exist), records hold empty fields, and
replies are cut by snaplens and fragments, so a record is found by its fixed head and a port counts only with its
closing semicolon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TEXT = 255

_HEAD = re.compile(
    rb"ServerName;([^;]{0,255});InstanceName;([^;]{0,255});IsClustered;([^;]{0,16});Version;([^;]{0,32});"
)
_TCP = re.compile(rb"tcp;([0-9]{1,5});")


@dataclass(frozen=True)
class Instance:
    """One record of a reply. `tcp_port`: None when none is usable (none named, 0, or cut off)."""

    server: str
    instance: str
    version: str
    tcp_port: int | None


@dataclass(frozen=True)
class Reply:
    """SVR_RESP. `truncated`: its size field promises more than is there; `dac_port`: of a reply to a DAC request."""

    instances: tuple[Instance, ...]
    truncated: bool
    dac_port: int | None = None


@dataclass(frozen=True)
class Request:
    """CLNT_BCAST_EX, CLNT_UCAST_EX, CLNT_UCAST_INST or CLNT_UCAST_DAC."""

    kind: str  # "broadcast", "all", "instance", "dac"
    instance: str
    malformed: bool


def parse_reply(payload: bytes) -> Reply | None:
    """The reply in a UDP payload, None when it is none."""
    if len(payload) < 3 or payload[0] != 5:
        return None
    size = payload[1] | payload[2] << 8
    if len(payload) == 6 and size == 6 and payload[3] == 1:
        return Reply((), False, payload[4] | payload[5] << 8)
    heads = list(_HEAD.finditer(payload, 3))
    instances = []
    for match, following in zip(heads, [*heads[1:], None], strict=False):  # the last one has none after it
        end = following.start() if following else len(payload)
        port = None
        # the head ends with ";", so "tcp" right after it or after another ";" is the start of a field
        for found in _TCP.finditer(payload, match.end(), end):
            if payload[found.start() - 1] == 0x3B:
                value = int(found[1])
                port = value if 1 <= value <= 65535 else None
                break
        instances.append(Instance(_text(match[1]), _text(match[2]), _text(match[4]), port))
    return Reply(tuple(instances), size > len(payload) - 3)


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
        name = payload[1:] if kind == 4 else payload[2:]
        name = name.split(b"\0", 1)[0]
        return Request("instance" if kind == 4 else "dac", _text(name), not 1 <= len(name) <= 32)
    return None


def _text(raw: bytes) -> str:
    """Names are in the server's multi-byte character set, which the packet does not tell."""
    return raw[:MAX_TEXT].decode("ascii", "backslashreplace")
