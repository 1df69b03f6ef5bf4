"""NET-CONN-FAIL: a service that hosts try to reach and do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import attempts as at
from classifier.findings import failures, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule
from classifier.findings.ports import blocked_pairs
from classifier.units import counted

LISTED = 19
"""Services named one by one; the rest is one finding."""
TRACEROUTE = (33_434, 33_534)
"""UDP ports that traceroute asks for because nobody listens there (its documentation)."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    tried = case.attempts
    failed = tried.counts[:, list(at.FAILED)].any(axis=1) & ~tried.scanned & ~blocked_pairs(case)
    failed &= ~(tried.counts[:, at.IGNORED] == tried.counts[:, list(at.FAILED)].sum(axis=1))  # NET-SYNACK-LOST
    failed &= ~((tried.proto == at.UDP) & (tried.port >= TRACEROUTE[0]) & (tried.port <= TRACEROUTE[1]))
    numbers = np.flatnonzero(failed)
    if not len(numbers):
        return
    key = tried.server[numbers] << 17 | tried.port[numbers] << 1 | (tried.proto[numbers] == at.UDP)
    services, group = np.unique(key, return_inverse=True)
    ours = _touches_product(case, numbers)
    rank = np.bincount(group, tried.counts[numbers][:, list(at.FAILED)].sum(axis=1))
    important = np.bincount(group, ours) > 0
    order = np.lexsort((services, -rank, ~important))
    for k in order[:LISTED].tolist():
        yield _finding(case, numbers[group == k], bool(important[k]))
    rest = order[LISTED:]
    if len(rest):
        pairs = numbers[np.isin(group, rest)]
        flows = tried.flows_of(pairs[:1000], *at.FAILED)
        yield Finding(
            title=f"{counted(len(rest), 'further service')} that hosts could not reach",
            summary=f"{counted(len(pairs), 'pair')} of client and service, with fewer attempts than those listed.",
            flow_ids=flows[:1000].tolist(),
            first_record=case.first_record(flows.tolist()),
            severity="warning" if important[rest].any() else "info",
        )


def _touches_product(case: Case, numbers: np.ndarray) -> np.ndarray:
    """Pairs with a host of a product, or whose port is one of a product's own."""
    tried = case.attempts
    hosts = np.array([case.addresses.find(address) for address in case.product_hosts], "i8")
    would = tried.component[numbers]
    named = (would >= 0) & (would < len(case.facts.signatures.signatures))
    found: np.ndarray = np.isin(tried.server[numbers], hosts) | np.isin(tried.client[numbers], hosts) | named
    return found


def _finding(case: Case, numbers: np.ndarray, important: bool) -> Finding:
    item = failures.trouble(case, numbers)
    flows = failures.flows(case, item)
    text, packets = failures.selection(case, item)
    return Finding(
        title=failures.title(case, item),
        summary=failures.summary(case, item),
        remedy=failures.cause_and_remedy(case, item),
        severity="warning" if important else "info",
        flow_ids=flows,
        first_record=case.first_record(flows),
        display_filter=text,
        packets=packets,
    )


RULE = Rule(
    code="NET-CONN-FAIL",
    severity="warning",
    title="Connections that do not come about",
    remedy="Check the service, then every firewall between the client and the server.",
    source="RFC 9293 3.5.2 (RST), RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 (ICMP unreachable); when silence counts is ours",
    check=check,
    needs=(needs.PACKETS,),
)
