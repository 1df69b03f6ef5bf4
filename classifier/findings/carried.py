"""How well TCP carried the data of each service, by pair of hosts and direction.

In: a Case. Out: `Carried` columns. Next: NET-RETRANSMIT, NET-ZERO-WINDOW, NET-SLOW-HANDSHAKE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.findings import filters
from classifier.findings.case import TCP
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding
from classifier.tables.facts import sums

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

UP, DOWN = 0, 1
"""From the client to the server, and from the server to the client."""
COPIES = 0.01
"""Share of copies in a capture from which they may pass for packets sent again (ours)."""


@dataclass(frozen=True, slots=True)
class Carried:
    """Sums of TCP flows. `pair`: (k,) numbers of the roll-up, ascending; others (k, 2): by direction UP and DOWN.

    `flow`: (m,) TCP flows of these pairs, `place`: (m,) their pair's place in `pair`, `turned`: (m,) the originator is
    the server.
    """

    pair: Array
    payload: Array  # bytes
    again: Array  # bytes of these that were sent again
    segments: Array  # sent again
    gaps: Array  # segments behind which one is missing
    copies: Array  # of segments, which a mirror made
    zero_ns: Array  # how long the sender of this direction could take nothing
    zeros: Array  # how often it said so
    flow: Array
    place: Array
    turned: Array
    row: Array  # (m,) rows of the TCP table


def carried(case: Case) -> Carried:
    """Sums per pair of the roll-up; flows that are no connection there are left out."""
    tried, tcp, flows = case.attempts, case.read.tcp, case.flows
    pair_of = tried.pair_of
    row = np.flatnonzero(pair_of[tcp.flow] >= 0)
    flow = tcp.flow[row].astype("i8")
    pair, place = np.unique(pair_of[flow], return_inverse=True)
    turned = case.labels.listening_end(flow) == 1

    def both(orig: Array, resp: Array) -> Array:
        up, down = np.where(turned, resp, orig), np.where(turned, orig, resp)
        return np.stack([sums(place, up, len(pair)), sums(place, down, len(pair))], axis=1)

    def fact(name: str) -> Array:
        return both(tcp.orig[name][row], tcp.resp[name][row])

    return Carried(
        pair=pair,
        payload=both(flows.orig_payload[flow], flows.resp_payload[flow]),
        again=fact("retransmitted_bytes"),
        segments=fact("retransmitted"),
        gaps=fact("gaps"),
        copies=fact("duplicates"),
        zero_ns=fact("zero_window_ns"),
        zeros=fact("zero_windows"),
        flow=flow,
        place=place,
        turned=turned,
        row=row,
    )


def finding(
    case: Case, place: int, flows: Array, title: str, summary: str, remedy: str = "", *, important: bool
) -> Finding:
    """What a rule found out about the pair at `place` of `Carried`, with `flows`, the worst first, as the proof."""
    pair = case.attempts.pair(int(case.carried.pair[place]))
    flow_ids = flows[:FLOWS_OF_A_FINDING].tolist()
    return Finding(
        title=title,
        summary=f"{case.attempts.service(pair)}: {summary}",
        remedy=remedy,
        severity="warning" if important else "info",
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.of_pair(case, pair.client, pair.server, pair.port, TCP),
    )


def copied(case: Case) -> bool:
    """Whether so many packets are there twice that some may pass for packets that were sent again."""
    watched = case.read.watched
    return watched is not None and watched.copies > COPIES * max(watched.packets, 1)
