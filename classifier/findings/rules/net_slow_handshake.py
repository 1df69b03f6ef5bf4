"""NET-SLOW-HANDSHAKE: the way between a product's server and its client is long."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import needs
from classifier.findings.carried import Carried, finding
from classifier.findings.case import Case
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule, Setting
from classifier.findings.services import touches_product
from classifier.units import counted, span

LISTED = 19
"""Pairs of hosts that are told one by one."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    sums, tcp = case.carried, case.read.tcp
    syn, synack = tcp.syn_ns[sums.row], tcp.synack_ns[sums.row]
    whole = np.flatnonzero((syn >= 0) & (synack >= 0))
    took = syn + synack
    order = whole[np.lexsort((took[whole], sums.place[whole]))]  # by pair, then by time
    place, first, count = np.unique(sums.place[order], return_index=True, return_counts=True)
    middle = (took[order[first + (count - 1) // 2]] + took[order[first + count // 2]]) // 2
    slow = np.flatnonzero((middle > setting("ms") * 1e6) & (count >= setting("connections")))
    slow = slow[touches_product(case, sums.pair[place[slow]])] if len(slow) else slow
    slow = slow[np.argsort(-middle[slow], kind="stable")]
    for k in slow[:LISTED].tolist():
        yield _finding(case, sums, int(place[k]), order[first[k] : first[k] + count[k]], int(middle[k]), took)
    if len(slow) > LISTED:
        yield _others(case, sums, place[slow[LISTED:]], middle[slow[LISTED:]])


def _others(case: Case, sums: Carried, places: np.ndarray, middle: np.ndarray) -> Finding:
    """What is left, in one sentence."""
    flows = sums.flow[np.isin(sums.place, places)][:FLOWS_OF_A_FINDING]
    servers = len(distinct(case.attempts.server[sums.pair[places]]))
    return Finding(
        title=f"{len(places):,} more pairs of hosts are up to {span(int(middle[0]))} apart",
        summary=f"With {counted(servers, 'server')}; medians of their handshakes from {span(int(middle[-1]))} up.",
        flow_ids=flows.tolist(),
        first_record=case.first_record(flows.tolist()),
    )


def _finding(case: Case, sums: Carried, place: int, here: np.ndarray, middle: int, took: np.ndarray) -> Finding:
    pair, tcp = case.attempts.pair(int(sums.pair[place])), case.read.tcp
    rows = sums.row[here]
    to_server, to_client = int(np.median(tcp.syn_ns[rows])), int(np.median(tcp.synack_ns[rows]))
    return finding(
        case,
        place,
        sums.flow[here][np.argsort(-took[here], kind="stable")],
        title=f"{case.place(pair.client)} and {case.place(pair.server)} are {span(middle)} apart",
        summary=(
            f"median of {counted(len(here), 'handshake')}, the longest {span(int(took[here].max()))}. From this point "
            f"to {pair.server} and back {span(to_server)}, to {pair.client} and back {span(to_client)}."
        ),
        important=True,
    )


RULE = Rule(
    code="NET-SLOW-HANDSHAKE",
    severity="warning",
    title="A long way between a product's server and its client",
    remedy=(
        "Expected over satellite, mobile or intercontinental links; in one building it is a full link, a busy "
        "firewall or VPN, or an overloaded host. Every request of the client waits this long at least."
    ),
    source="ours; times between SYN, SYN-ACK and ACK (RFC 9293 3.5), of handshakes without retransmission",
    check=check,
    needs=(needs.FOLLOWED,),
    settings=(
        Setting("ms", 200, "ms", "that the handshake of a pair of hosts and service may take (median)"),
        Setting("connections", 1, "connections", "whose handshakes were seen whole, at least"),
    ),
)
