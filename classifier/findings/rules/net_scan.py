"""NET-SCAN: one host tries many ports, or many hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import attempts as at
from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule
from classifier.findings.scans import MANY, Scan
from classifier.units import counted

NAMED_PORTS = 8
OPEN = [*at.WORKED, at.DROPPED, at.IGNORED]
"""Outcomes that a listening port gives."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for scan in case.attempts.scans:
        yield _finding(case, scan)


def _finding(case: Case, scan: Scan) -> Finding:
    tried = case.attempts
    client = case.place(case.addresses.text(scan.client))
    counts = tried.counts[scan.pairs].sum(axis=0)
    flows = tried.flows_of(scan.pairs)
    transport = "UDP" if scan.proto == at.UDP else "TCP"
    if scan.server >= 0:
        target = case.addresses.text(scan.server)
        title = f"{client} tried {len(scan.pairs):,} {transport} ports of {case.place(target)}"
        open_ = scan.pairs[tried.counts[scan.pairs][:, OPEN].any(axis=1)]
        answered = listed([str(port) for port in tried.port[open_].tolist()], most=NAMED_PORTS)
        what = f"Ports that answered: {answered}."
    else:
        title = f"{client} tried port {scan.port}/{transport.lower()} of {len(scan.pairs):,} hosts"
        open_ = scan.pairs[tried.counts[scan.pairs][:, OPEN].any(axis=1)]
        hosts = [case.addresses.text(int(number)) for number in tried.server[open_][:1000]]
        what = f"Hosts that answered: {listed(hosts)}."
    said = {
        "refused": int(counts[at.REFUSED]),
        "rejected by ICMP": int(counts[at.REJECTED]),
        "without an answer": int(counts[[at.UNANSWERED, at.INCONCLUSIVE, at.HALF_SEEN]].sum()),
        "answered": int(counts[OPEN].sum()),
    }
    first, last = int(tried.first_ns[scan.pairs].min()), int(tried.last_ns[scan.pairs].max())
    return Finding(
        title=title,
        summary=(
            f"{counted(len(flows), 'attempt')} from {case.at(first)} to {case.at(last)}: "
            f"{', '.join(f'{number:,} {how}' for how, number in said.items() if number)}. {what}"
        ),
        flow_ids=flows[:FLOWS_OF_A_FINDING].tolist(),
        first_record=case.first_record(flows[np.argsort(case.flows.first_ns[flows])][:1].tolist()),
    )


RULE = Rule(
    code="NET-SCAN",
    severity="info",
    title="A host tries many ports or many hosts",
    remedy=(
        "Find out what runs on that host. An inventory or discovery tool is harmless, though its attempts cost cameras "
        "and servers time; if nobody expected it, the host may be compromised."
    ),
    source=f"ours: {MANY} ports of one host, or {MANY} hosts at one port, tried in vain by one host",
    check=check,
    needs=(needs.PACKETS,),
)
