"""NET-CONN-FAIL: a service that hosts try to reach and do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import attempts as at
from classifier.findings import failures, needs
from classifier.findings.case import Array, Case
from classifier.findings.errors import TRACEROUTE
from classifier.findings.model import Finding, Rule
from classifier.findings.ports import blocked_pairs
from classifier.findings.services import service_order
from classifier.units import counted

LISTED = 19
"""Services named one by one; the rest is one finding."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    tried = case.attempts
    failed = tried.counts[:, list(at.FAILED)].any(axis=1) & ~tried.scanned & ~blocked_pairs(case)
    failed &= ~(tried.counts[:, at.IGNORED] == tried.counts[:, list(at.FAILED)].sum(axis=1))  # NET-SYNACK-LOST
    failed &= ~((tried.proto == at.UDP) & (tried.port >= TRACEROUTE[0]) & (tried.port <= TRACEROUTE[1]))
    numbers = np.flatnonzero(failed)
    if not len(numbers):
        return
    weight = tried.counts[numbers][:, list(at.FAILED)].sum(axis=1)
    order, group, important = service_order(case, numbers, weight)
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


def _finding(case: Case, numbers: Array, important: bool) -> Finding:
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
