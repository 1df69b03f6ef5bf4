"""What TCP showed of its transport, as columns of the flow table's order.

In: the tally's FLOW and TCP_SIDE rows and the finished flow table. Out: `TcpTable`. Next: `classifier.tables`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.flows.rows import blocks, columns
from classifier.flows.table import FlowTable

Array = npt.NDArray[Any]

_TCP = 6

TCP_FACTS = np.dtype(
    [
        ("segments", "i8"),  # with data; copies that a mirror made are not among them
        ("retransmitted", "i8"),  # of these
        ("retransmitted_bytes", "i8"),
        ("out_of_order", "i8"),
        ("duplicates", "i8"),  # copies that a mirror made
        ("duplicate_acks", "i8"),
        ("keep_alives", "i8"),
        ("zero_windows", "i8"),  # segments that announced one
        ("zero_window_ns", "i8"),  # how long its window was zero, in all
        ("gaps", "i8"),  # segments behind which one is missing
        (
            "gap_bytes",
            "i8",
        ),  # passed over, neither captured nor acknowledged: lost on the way here, or not yet sent again
        ("unseen_acks", "i8"),  # ACKs, of the other side, of what had not been captured
        ("unseen_bytes", "i8"),  # acknowledged by the other side, never captured: the capture's loss
        ("stall_ns", "i8"),  # longest time between two segments with new data
        ("stall_at_ns", "i8"),  # and its start; 0 = none
    ]
)
"""One direction of a TCP flow."""


@dataclass(slots=True)
class TcpTable:
    """TCP flows that carried more than SYN and RST, by flow id (m rows). Times in ns; -1: not seen."""

    flow: Array  # i4: rows of the flow table, ascending
    orig: Array  # TCP_FACTS
    resp: Array
    silence_ns: Array  # i8: longest time without any segment, from the handshake to the first FIN or RST
    silence_at_ns: Array  # its start
    syn_ns: Array  # i8: from the only SYN to the SYN-ACK: the way from the capture point to the responder and back
    synack_ns: Array  # from the SYN-ACK to the ACK: the way to the originator and back

    def __len__(self) -> int:
        return len(self.flow)


def no_tcp() -> TcpTable:
    """A table without rows."""
    none = np.zeros(0, "i8")
    return TcpTable(np.zeros(0, "i4"), np.zeros(0, TCP_FACTS), np.zeros(0, TCP_FACTS), none, none, none, none)


def finish_tcp_table(flows: FlowTable, at: Array, sides: Array) -> TcpTable:
    """The table. `at`: FLOW's `probe` of each flow; `sides`: the finished tally's TCP_SIDE rows."""
    flow = np.flatnonzero((at != 0) & (flows.proto == _TCP)).astype("i4")
    at = at[flow].astype("i8")
    turned = flows.turned[flow].astype("i8")
    first = columns(sides, at, ("silence_ns", "silence_at_ns", "opened_ns"))
    syn, synack = flows.syn_ns[flow], flows.synack_ns[flow]
    once = (flows.orig_syns[flow] == 1) & (flows.resp_syns[flow] == 0)
    return TcpTable(
        flow=flow,
        orig=_facts(sides, at + turned),
        resp=_facts(sides, at + (1 - turned)),
        silence_ns=first["silence_ns"],
        silence_at_ns=first["silence_at_ns"],
        syn_ns=_between(syn, synack, once),
        synack_ns=_between(synack, first["opened_ns"], flows.orig_synacks[flow] + flows.resp_synacks[flow] == 1),
    )


def _facts(sides: Array, which: Array) -> Array:
    out = np.zeros(len(which), TCP_FACTS)
    for part, block in blocks(sides, which):
        for name in TCP_FACTS.names or ():
            out[name][part] = block[name]
    return out


def _between(start: Array, end: Array, known: Array) -> Array:
    """Time from a handshake segment to its answer; of one that came twice nobody knows which was answered."""
    return np.where(known & (start != 0) & (end >= start), end - start, -1)
