"""Proofs: from what a pass saw in payloads to marks on flows.

In: finished flows with their hints, PROBE rows, and what the parsers found (`collect`). Out: `FlowTable.evidence` and
`Proofs`, which record showed what. Next: `classifier.matching`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.decode import hints
from classifier.evidence.marks import CODES, MARKS, mark_bit
from classifier.flows.rows import columns
from classifier.flows.state import RTP_ENOUGH, RTP_RUN, RTP_SHARE, TS_DATAGRAMS
from classifier.flows.stream_table import KIND_RTP, NO_STREAMS, Streams
from classifier.flows.table import DIRECTION_BASES, FlowTable

Array = npt.NDArray[Any]

_TCP = 6
RTCP_REPORTS = 2
"""Reports of both sides until a flow is RTCP (ours): a short one has few bytes that could differ."""

_BY_HINT = (
    ("http", (hints.HTTP_REQUEST,), (hints.HTTP_REPLY,)),
    ("rtsp", (hints.RTSP_REQUEST,), (hints.RTSP_REPLY,)),
    ("tls", (hints.TLS,), (hints.TLS,)),
    ("ssdp", (hints.HTTPU,), (hints.HTTPU,)),
    ("stun", (hints.STUN,), (hints.STUN,)),
    ("quic", (hints.QUIC,), (hints.QUIC,)),
    ("foreign", (hints.FOREIGN,), (hints.FOREIGN,)),
)
"""Marks that the first bytes give: (code, hints of the originator, hints of the responder)."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A record whose payload shows something. `side`: 0 the flow's side A said it, 1 side B (tally rows)."""

    code: str  # of a mark
    row: int  # of the tally
    side: int
    ts_ns: int
    capture: int
    record: int  # from 1
    detail: str = ""  # a name, a version: text of the payload, not escaped


class Proofs:
    """Which records proved what, by flow."""

    def __init__(self, by_flow: Mapping[int, Sequence[Proof]]) -> None:
        self._by_flow = by_flow

    def of(self, flow: int) -> Sequence[Proof]:
        """The proofs of a flow, in reading order."""
        return self._by_flow.get(flow, ())

    def flows(self) -> Sequence[int]:
        """The flows that have proofs, sorted."""
        return sorted(self._by_flow)


NO_PROOFS = Proofs({})
_UDP = 17


def judge(
    flows: FlowTable, rows: Array, probes: Array, found: Sequence[Proof], streams: Streams = NO_STREAMS
) -> Proofs:
    """Set `flows.evidence`; `rows` and `probes` are the tally's."""
    orig_hints, resp_hints = flows.orig_hints.astype("i8"), flows.resp_hints.astype("i8")
    for code, by_orig, by_resp in _BY_HINT:
        orig_bits = sum(hints.hint_bit(item) for item in by_orig)
        resp_bits = sum(hints.hint_bit(item) for item in by_resp)
        hit = ((orig_hints & orig_bits) | (resp_hints & resp_bits)) != 0
        flows.evidence[hit] |= mark_bit(code)
    _media(flows, rows, probes)
    _sources(flows, streams)
    return _from_parsers(flows, found)


def _media(flows: FlowTable, rows: Array, probes: Array) -> None:
    probe = rows["probe"][flows.row]
    here = np.flatnonzero((probe != 0) & (flows.proto == _UDP))
    a, b = (columns(probes, probe[here] + side, ("hits", "datagrams", "reports")) for side in (0, 1))
    flows.evidence[here[a["reports"].astype("i8") + b["reports"] >= RTCP_REPORTS]] |= mark_bit("rtcp")
    for seen, packets in ((a, "a_packets"), (b, "b_packets")):
        hits = seen["hits"].astype("i8")
        most = rows[packets][flows.row[here]] <= RTP_SHARE * hits
        for code, shown in (
            ("rtp", (hits >= RTP_ENOUGH) | ((hits >= RTP_RUN) & most)),
            ("mpegts", seen["datagrams"] >= TS_DATAGRAMS),
        ):
            flows.evidence[here[shown]] |= mark_bit(code)


def _sources(flows: FlowTable, streams: Streams) -> None:
    """Sources that take turns in one direction: none of their packets continues the one before."""
    rtp = streams.rows[streams.rows["kind"] == KIND_RTP]
    carries = np.isin(flows.row, rtp["where"] >> 1)
    flows.evidence[carries] |= mark_bit("rtp")


def _from_parsers(flows: FlowTable, found: Sequence[Proof]) -> Proofs:
    """Marks of parsed payloads, where the side that has to say it said it."""
    if not found:
        return NO_PROOFS
    flow_of = np.full(int(flows.row.max(initial=-1)) + 1, -1, "i4")
    flow_of[flows.row] = np.arange(len(flows))
    shared: Array = (flows.orig_addr | flows.resp_addr).max(axis=1) == 0  # rows of many flows, beyond the cap
    # both sides of a TCP flow said what one side says, and nothing else tells which is which
    guessed: Array = (flows.proto == _TCP) & (flows.direction_basis == DIRECTION_BASES.index("first_packet"))
    by_flow: dict[int, list[Proof]] = {}
    for proof in found:
        flow = int(flow_of[proof.row]) if proof.row < len(flow_of) else -1
        if flow < 0 or shared[flow]:
            continue
        mark = MARKS[CODES[proof.code]]
        by_originator = (proof.side == 1) == bool(flows.turned[flow])
        if mark.said_by and (guessed[flow] or by_originator != (mark.said_by == "orig")):
            continue
        flows.evidence[flow] |= mark_bit(proof.code)
        by_flow.setdefault(flow, []).append(proof)
    return Proofs(by_flow)
