"""The finished flow table: one numpy column per field, originator and responder decided.

In: a finished tally. Out: `FlowTable`, which attribution labels and the report shows. Rows are ordered by
(first_ns, capture, first_record) and keep that order; `flow_id` is the row number. Frames without IP are not
here: they are `LinkTable` rows, one per link protocol.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# direction_basis, in order of strength
DIRECTION_BASES = ("syn", "syn_ack", "group", "content", "service_port", "fan_in", "port_order", "first_packet")

# tcp_state: how far the connection got
TCP_STATES = (
    "",  # not TCP
    "attempt",  # SYN, nothing came back
    "refused",  # SYN, answered by RST
    "syn_ack_only",  # SYN and SYN-ACK, the originator never went on (or SYN-ACK alone)
    "established",  # handshake seen, not ended
    "closed",  # handshake seen, FIN from both
    "half_closed",  # handshake seen, FIN from one
    "reset",  # handshake seen, then RST
    "midstream",  # no SYN in the capture
    "midstream_closed",
    "midstream_reset",
)
FAILED_TCP_STATES = ("attempt", "refused")  # a try without SYN-ACK never enters a product's row

_OCTETS = tuple(str(i) for i in range(256))
_OCTET = {text: number for number, text in enumerate(_OCTETS)}


@dataclass(slots=True)
class FlowTable:
    """All flows with IP, as columns of equal length (n rows)."""

    version: Array  # u1: 4 or 6
    proto: Array  # i4: IP protocol number
    orig_addr: Array  # (n, 4) u4: address words, IPv4 in word 3
    resp_addr: Array  # (n, 4) u4
    orig_port: Array  # u2
    resp_port: Array  # u2
    direction_basis: Array  # u1: index into DIRECTION_BASES
    tcp_state: Array  # u1: index into TCP_STATES
    vlan: Array  # i4, NO_VLAN = none
    encap: Array  # i8 (columns.encapsulation_name)
    first_ns: Array  # i8
    last_ns: Array  # i8
    orig_packets: Array  # i8 ...
    resp_packets: Array
    orig_wire: Array
    resp_wire: Array
    orig_ip: Array
    resp_ip: Array
    orig_payload: Array
    resp_payload: Array
    captured: Array
    orig_mac: Array  # i8
    resp_mac: Array
    orig_ttl: Array  # u1, lowest seen, 0 = none
    resp_ttl: Array
    orig_syns: Array  # u4: SYN without ACK
    resp_syns: Array
    orig_synacks: Array
    resp_synacks: Array
    orig_flags: Array  # u1: OR of TCP flags
    resp_flags: Array
    syn_ns: Array
    synack_ns: Array
    fragments: Array
    stopped: Array
    unresolved: Array  # bool: later fragments whose first never came
    orig_hints: Array  # u2: what its payloads began with (decode.hints.hint_bit)
    resp_hints: Array
    evidence: Array  # i8: what payloads prove (evidence.marks), set by evidence.proofs
    capture: Array  # i4
    first_record: Array  # i8
    row: Array  # i4: row of the tally, for the timeline
    turned: Array  # bool: the originator is side B of that row

    def __len__(self) -> int:
        return len(self.proto)

    @property
    def packets(self) -> Array:
        """Packets of both directions, i8."""
        return self.orig_packets + self.resp_packets

    @property
    def wire(self) -> Array:
        """Wire bytes of both directions, i8."""
        return self.orig_wire + self.resp_wire


@dataclass(slots=True)
class LinkTable:
    """Frames without IP, one row per link protocol."""

    code: Array  # i4: index into decode.protocols.LINK_PROTOCOLS
    packets: Array  # i8
    wire: Array
    captured: Array
    stopped: Array
    first_ns: Array
    last_ns: Array
    row: Array  # i4: row of the tally, for the timeline

    def __len__(self) -> int:
        return len(self.code)


def address_text(words: Any, version: int) -> str:
    """Four address words (most significant first) as text, by RFC 5952 for IPv6."""
    if version == 4:
        word = int(words[3])
        return f"{word >> 24}.{word >> 16 & 255}.{word >> 8 & 255}.{word & 255}"
    value = 0
    for word in words:
        value = value << 32 | int(word)
    return str(ipaddress.IPv6Address(value))


def address_texts(words: Array, version: Array) -> Array:
    """`address_text` of (n, 4) u4 words and (n,) versions: (n,) object array of str."""
    out = np.empty(len(words), object)
    o = _OCTETS
    four = version == 4
    low = words[four, 3].tolist()
    out[four] = [f"{o[w >> 24]}.{o[w >> 16 & 255]}.{o[w >> 8 & 255]}.{o[w & 255]}" for w in low]
    six = np.flatnonzero(~four)
    for i, row in zip(six.tolist(), words[six].tolist(), strict=True):
        out[i] = address_text(row, 6)
    return out


def address_words(text: str) -> tuple[int, tuple[int, int, int, int]]:
    """`(version, words)` of an address in text form; raises ValueError when it is none."""
    try:
        one, two, three, four = text.split(".")
        return 4, (0, 0, 0, _OCTET[one] << 24 | _OCTET[two] << 16 | _OCTET[three] << 8 | _OCTET[four])
    except (KeyError, ValueError):  # IPv6, or none: a hundred times slower to tell
        address = ipaddress.ip_address(text)
    value = int(address)
    return address.version, (
        value >> 96 & 0xFFFFFFFF,
        value >> 64 & 0xFFFFFFFF,
        value >> 32 & 0xFFFFFFFF,
        value & 0xFFFFFFFF,
    )


def is_group(words: Array, version: Array) -> Array:
    """Which addresses are multicast or limited broadcast: (n, 4) u4 words and (n,) versions to (n,) bool."""
    group: Array = np.where(
        version == 4,
        ((words[:, 3] >> 28) == 14) | (words[:, 3] == 0xFFFFFFFF),
        (words[:, 0] >> 24) == 0xFF,
    )
    return group
