"""From candidate payloads to facts.

In: the CANDIDATE rows of a batch, its PACKET rows and buffers. Out: `memberships` (who joined which group),
`announced` (which port an SSRP reply names) and `quoted` (what ICMP errors could not deliver), capped together.
Next: the engine puts them into its `Pass`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.evidence.icmp import Quoted, parse_quoted
from classifier.evidence.membership import parse_igmp, parse_mld
from classifier.evidence.ssrp import parse_reply
from classifier.flows.state import KIND_IGMP, KIND_MLD, KIND_QUOTED, KIND_SSRP
from classifier.flows.table import address_text
from classifier.limits import Limits

Array = npt.NDArray[Any]

_ICMP_HEADER = 8


@dataclass(frozen=True, slots=True)
class Membership:
    """A host joined, left or asked for a group. `group`: "" in a general query; `record`: from 1."""

    group: str
    host: str
    kind: str  # "join", "leave", "query"
    version: int  # of IGMP or MLD
    ts_ns: int
    capture: int
    record: int


@dataclass(frozen=True, slots=True)
class Announced:
    """An SSRP reply: a SQL Server instance and the TCP port it listens on (0: none usable)."""

    address: str  # the reply came from here
    asker: str  # and went to
    port: int
    instance: str
    server: str
    version: str
    ts_ns: int
    capture: int
    record: int


@dataclass(slots=True)
class IcmpError:
    """ICMP errors of one kind about one packet (`quoted`), from one sender to one receiver; `record`: the first's."""

    sender: str
    receiver: str
    version: int  # 4: ICMP, 6: ICMPv6
    icmp_type: int
    icmp_code: int
    quoted: Quoted
    packets: int
    first_ns: int
    last_ns: int
    capture: int
    record: int


class Collector:
    """Facts of one pass, in reading order.

    `max_facts`: no further payload is looked at when there are that many (one payload can add some hundreds).
    `dropped`: payloads that were not looked at.
    """

    def __init__(self, max_facts: int = Limits.facts) -> None:
        self.max_facts = max_facts
        self.memberships: list[Membership] = []
        self.announced: list[Announced] = []
        self._quoted: dict[tuple[Any, ...], IcmpError] = {}
        self.dropped = 0

    @property
    def quoted(self) -> list[IcmpError]:
        """ICMP errors in order of the first of each kind."""
        return list(self._quoted.values())

    def take(self, candidates: Array, packets: Array, buffers: Sequence[tuple[Any, Array]]) -> None:
        """Look at a batch's candidates. `buffers`: per part of the batch its buffer and the rows that lie in it."""
        for candidate in candidates:
            if len(self.memberships) + len(self.announced) + len(self._quoted) >= self.max_facts:
                self.dropped += 1
                continue
            index = int(candidate["packet"])
            packet = packets[index]
            buffer = _buffer_of(index, buffers)
            kind = int(candidate["kind"])
            if kind == KIND_SSRP:
                self._ssrp(packet, _payload(packet, buffer, 0))
            elif kind == KIND_QUOTED and not packet["stop"]:
                self._error(packet, _payload(packet, buffer, _ICMP_HEADER))
            elif kind in (KIND_IGMP, KIND_MLD) and not packet["stop"]:
                self._membership(packet, kind, _payload(packet, buffer, _ICMP_HEADER))

    def _membership(self, packet: Any, kind: int, payload: bytes) -> None:
        host = address_text([packet["src0"], packet["src1"], packet["src2"], packet["src3"]], int(packet["version"]))
        parse = parse_igmp if kind == KIND_IGMP else parse_mld
        for said in parse(payload):
            self.memberships.append(
                Membership(
                    said.group,
                    host,
                    said.kind,
                    said.version,
                    int(packet["ts_ns"]),
                    int(packet["capture"]),
                    int(packet["record"]),
                )
            )

    def _error(self, packet: Any, message: bytes) -> None:
        version = int(packet["version"])
        quoted = parse_quoted(message, version)
        if quoted is None:
            return
        sender = address_text([packet["src0"], packet["src1"], packet["src2"], packet["src3"]], version)
        receiver = address_text([packet["dst0"], packet["dst1"], packet["dst2"], packet["dst3"]], version)
        icmp_type, icmp_code, ts_ns = int(packet["icmp_type"]), int(packet["icmp_code"]), int(packet["ts_ns"])
        key = (sender, receiver, icmp_type, icmp_code, quoted)
        known = self._quoted.get(key)
        if known is None:
            capture, record = int(packet["capture"]), int(packet["record"])
            self._quoted[key] = IcmpError(
                sender, receiver, version, icmp_type, icmp_code, quoted, 1, ts_ns, ts_ns, capture, record
            )
        else:
            known.packets += 1
            known.first_ns, known.last_ns = min(known.first_ns, ts_ns), max(known.last_ns, ts_ns)

    def _ssrp(self, packet: Any, payload: bytes) -> None:
        reply = parse_reply(payload)
        if reply is None:
            return
        version = int(packet["version"])
        for instance in reply.instances:
            self.announced.append(
                Announced(
                    address_text([packet["src0"], packet["src1"], packet["src2"], packet["src3"]], version),
                    address_text([packet["dst0"], packet["dst1"], packet["dst2"], packet["dst3"]], version),
                    instance.tcp_port or 0,
                    instance.instance,
                    instance.server,
                    instance.version,
                    int(packet["ts_ns"]),
                    int(packet["capture"]),
                    int(packet["record"]),
                )
            )


def _buffer_of(index: int, buffers: Sequence[tuple[Any, Array]]) -> Any:
    """The buffer that row `index` points into."""
    if len(buffers) == 1:
        return buffers[0][0]
    for buffer, rows in buffers:
        if np.any(rows == index):
            return buffer
    raise IndexError(index)


def _payload(packet: Any, buffer: Any, before: int) -> bytes:
    """The captured payload, `before` bytes earlier where the decoder counts those to the header."""
    start = int(packet["payload_at"])
    return bytes(buffer[start - before : start + int(packet["payload_captured"])])
