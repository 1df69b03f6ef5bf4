"""Connections that were dead after a long silence.

In: a Case. Out: `IdleCuts`. Next: `findings.attempts`, NET-IDLE-CUT.

A firewall or NAT forgets a connection that is silent for too long; what comes after it is answered by RST, or by
nothing. A side that ends its own connection after a silence is no such thing, so the other side must have spoken
first: the time bins tell who sent what after the silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.columns import TCP_RST
from classifier.findings.case import once

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

SECOND = 1_000_000_000
IDLE_NS = 60 * SECOND
"""A silence that may cost a connection its place in a firewall's table (ours)."""
SOON_NS = 10 * SECOND
"""The RST comes so soon after the silence ended."""
RESETS_BYTES = 400
"""The side that resets sends no more than a few bare segments after the silence."""
RETRIES = 3


@dataclass(frozen=True, slots=True)
class IdleCuts:
    """(k,) flows, ascending; the silence in ns and its start; `by_orig`: who spoke first; `reset`: answered by RST."""

    flow: Array
    silence_ns: Array
    start_ns: Array
    by_orig: Array
    reset: Array


@once
def idle_cuts(case: Case, idle_ns: int) -> IdleCuts:
    """Connections whose longest silence was longer than `idle_ns`, and that did not live on."""
    flows, tcp = case.flows, case.read.tcp
    silent = np.flatnonzero(tcp.silence_ns > idle_ns)
    flow = tcp.flow[silent].astype("i8")
    end = tcp.silence_at_ns[silent] + tcp.silence_ns[silent]
    both = (flows.orig_packets[flow] > 0) & (flows.resp_packets[flow] > 0)
    payload = flows.orig_payload[flow] + flows.resp_payload[flow] > 0
    few = both & payload
    silent, flow, end = silent[few], flow[few], end[few]
    packets, orig_wire, resp_wire = _after(case, flow, end)
    orig_reset = (flows.orig_flags[flow] & TCP_RST) != 0
    resp_reset = (flows.resp_flags[flow] & TCP_RST) != 0
    soon = flows.last_ns[flow] - end <= SOON_NS
    to_orig = soon & resp_reset & (orig_wire > 0) & (resp_wire > 0) & (resp_wire <= RESETS_BYTES)
    to_resp = soon & orig_reset & (resp_wire > 0) & (orig_wire > 0) & (orig_wire <= RESETS_BYTES)
    reset = to_orig ^ to_resp
    lasting = (packets >= RETRIES) & (flows.last_ns[flow] - end >= SECOND)
    alone = lasting & ((orig_wire == 0) ^ (resp_wire == 0))
    hit = reset | alone
    return IdleCuts(
        flow=flow[hit],
        silence_ns=tcp.silence_ns[silent][hit],
        start_ns=tcp.silence_at_ns[silent][hit],
        by_orig=np.where(reset, to_orig, orig_wire > 0)[hit],
        reset=reset[hit],
    )


def _after(case: Case, flow: Array, end: Array) -> tuple[Array, Array, Array]:
    """Packets, and wire bytes of originator and responder, from the time bin of `end` on."""
    m = len(flow)
    packets, a_wire, b_wire = (np.zeros(m, "i8") for _ in range(3))
    if m:
        row = case.flows.row[flow]
        place = np.full(len(case.facts.owner), -1, "i8")
        place[row] = np.arange(m)
        bins = case.read.bins
        hit = np.flatnonzero(place[bins["flow"]] >= 0)
        at = place[bins["flow"][hit]]
        late = bins["bin_ns"][hit] >= end[at] // case.read.bin_width_ns * case.read.bin_width_ns
        hit, at = hit[late], at[late]
        np.add.at(packets, at, bins["packets"][hit].astype("i8"))
        np.add.at(a_wire, at, bins["a_wire"][hit].astype("i8"))
        np.add.at(b_wire, at, bins["b_wire"][hit].astype("i8"))
    turned = case.flows.turned[flow]
    return packets, np.where(turned, b_wire, a_wire), np.where(turned, a_wire, b_wire)
