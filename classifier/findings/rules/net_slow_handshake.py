"""NET-SLOW-HANDSHAKE: the way between a product's server and its client is long."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.carried import Carried
from classifier.findings.case import TCP, Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.services import touches_product
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    sums, tcp = case.carried, case.read.tcp
    whole = (tcp.syn_ns[sums.row] >= 0) & (tcp.synack_ns[sums.row] >= 0)
    took = np.where(whole, tcp.syn_ns[sums.row] + tcp.synack_ns[sums.row], -1)
    slow = np.unique(sums.place[took > setting("ms") * 1e6])  # the median is checked below
    slow = slow[touches_product(case, sums.pair[slow])] if len(slow) else slow
    found = []
    for place in slow.tolist():
        here = np.flatnonzero((sums.place == place) & whole)
        middle = int(np.median(took[here]))
        if middle > setting("ms") * 1e6 and len(here) >= setting("connections"):
            found.append((middle, place, here))
    for middle, place, here in sorted(found, key=lambda item: -item[0]):
        yield _finding(case, sums, place, here, middle, took)


def _finding(case: Case, sums: Carried, place: int, here: np.ndarray, middle: int, took: np.ndarray) -> Finding:
    pair, tcp = case.attempts.pair(int(sums.pair[place])), case.read.tcp
    rows = sums.row[here]
    to_server, to_client = int(np.median(tcp.syn_ns[rows])), int(np.median(tcp.synack_ns[rows]))
    flows = sums.flow[here][np.argsort(-took[here], kind="stable")][:1000]
    text, packets = filters.of_pair(case, pair.client, pair.server, pair.port, TCP)
    return Finding(
        title=f"{case.place(pair.client)} and {case.place(pair.server)} are {span(middle)} apart",
        summary=(
            f"{case.attempts.service(pair)}: median of {counted(len(here), 'handshake')}, the longest "
            f"{span(int(took[here].max()))}. From this point to {pair.server} and back {span(to_server)}, to "
            f"{pair.client} and back {span(to_client)}."
        ),
        flow_ids=flows.tolist(),
        first_record=case.first_record(flows.tolist()),
        display_filter=text,
        packets=packets,
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
