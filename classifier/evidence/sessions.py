"""RTSP sessions: which media flows they set up.

In: segments of RTSP connections that the flow kernel handed over. Out: `proofs` (what names a Digifort RTSP server) and
`media` (where the media of each session go). Next: the engine, which makes learned endpoints of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.evidence.assemble import Assembler
from classifier.evidence.proofs import Proof
from classifier.evidence.rtsp import Conversation, MediaFlow
from classifier.evidence.sdp import Codec
from classifier.flows.table import address_text, address_words

Array = npt.NDArray[Any]

MAX_BYTES = 64 << 20
"""Captured payload of RTSP connections kept in all."""

_BY = {"realm": "digifort_rtsp_realm", "session": "digifort_rtsp_realm", "path": "digifort_rtsp_url"}


@dataclass(frozen=True, slots=True)
class Medium:
    """Where one medium of a session goes. `ports`: RTP, and RTCP where it has its own."""

    address: str  # the receiver's, or the group's
    sender: str
    ports: tuple[int, ...]
    is_group: bool
    by_digifort: bool  # the session's server is Digifort's
    flow: MediaFlow
    row: int  # of the RTSP connection in the tally
    capture: int


@dataclass(slots=True)
class _Direction:
    assembler: Assembler
    seen: dict[int, tuple[int, int, int]]  # sequence number -> time, capture, record


class Sessions:
    """RTSP connections of one pass, by tally row. `dropped`: segments beyond `MAX_BYTES`."""

    def __init__(self) -> None:
        self.dropped = 0
        self._bytes = 0
        self._connections: dict[int, tuple[_Direction, _Direction]] = {}
        self.inside: dict[tuple[int, int], Codec] = {}  # by tally row and payload type: media in the connection itself

    def __contains__(self, row: int) -> bool:
        return row in self._connections

    def add(self, row: int, side: int, packet: Any, payload: bytes) -> None:
        """Take a segment that side `side` (0: A, 1: B) of a connection sent."""
        if self._bytes + len(payload) > MAX_BYTES:
            self.dropped += 1
            return
        self._bytes += len(payload)
        both = self._connections.setdefault(row, (_Direction(Assembler(), {}), _Direction(Assembler(), {})))
        seq = int(packet["seq"])
        both[side].assembler.add(seq, payload, int(packet["payload"]) > len(payload))
        both[side].seen.setdefault(seq, (int(packet["ts_ns"]), int(packet["capture"]), int(packet["record"])))

    def finish(self, rows: Array) -> tuple[list[Proof], list[Medium]]:
        """What the connections prove and set up. `rows`: the tally's FLOW rows."""
        proofs: list[Proof] = []
        media: list[Medium] = []
        for row, both in sorted(self._connections.items()):
            talk = Conversation()
            capture_of: dict[tuple[int, int], int] = {}
            for ts_ns, capture, record, side, message, body in _messages(both):
                capture_of[ts_ns, record] = capture
                talk.add(side, message, body, ts_ns, record)
            facts = talk.facts()
            for fact in facts:
                capture = capture_of[fact.ts_ns, fact.record]
                proofs.append(Proof(_BY[fact.by], row, fact.side, fact.ts_ns, capture, fact.record))
            for flow in talk.flows():
                if flow.interleaved is not None:
                    for kind, codec in flow.payloads.items():
                        self.inside.setdefault((row, kind), codec)
                media.extend(_media(flow, rows[row], row, capture_of[flow.ts_ns, flow.record], bool(facts)))
        return proofs, media


def _messages(both: tuple[_Direction, _Direction]) -> list[Any]:
    """Messages of both sides in order of time; one that begins inside a segment has that segment's time."""
    found = []
    for side, direction in enumerate(both):
        starts = np.array(sorted(direction.seen), "i8")
        for number, (message, body, seq) in enumerate(direction.assembler.messages()):
            at = int(np.searchsorted(starts, seq, "right")) - 1
            ts_ns, capture, record = direction.seen[int(starts[at])]
            found.append((ts_ns, capture, record, side, number, message, body))
    found.sort(key=lambda item: item[:5])
    return [(ts, capture, record, side, message, body) for ts, capture, record, side, _, message, body in found]


def _media(flow: MediaFlow, row: Any, at: int, capture: int, by_digifort: bool) -> Iterator[Medium]:
    version = int(row["version"])
    ends = [address_text([row[f"{side}{k}"] for k in range(4)], version) for side in "ab"]
    client, server = ends[flow.client_side], ends[1 - flow.client_side]
    sender = _address(flow.source) or server
    if flow.is_multicast:
        pairs: tuple[tuple[int, int], ...] = (flow.ports,) if flow.ports else ()
        target = _address(flow.destination)
    else:
        pairs = flow.client_ports
        target = _address(flow.destination) or client
    for pair in pairs:
        ports = tuple(dict.fromkeys(port for port in pair if port))
        if ports and target:
            yield Medium(target, sender, ports, flow.is_multicast, by_digifort, flow, at, capture)


def _address(text: str) -> str:
    """An address as we write it, "" for a name or nothing."""
    try:
        version, words = address_words(text)
    except ValueError:
        return ""
    return address_text(words, version)
