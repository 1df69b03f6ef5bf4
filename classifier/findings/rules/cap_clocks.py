"""CAP-CLOCKS: files or interfaces that are read as one were captured by clocks that differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.case import SECOND, TCP, Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seen, flows = case.read.watched, case.flows
    assert seen is not None
    for item in seen.offsets:
        if abs(item.ns) <= setting("seconds") * SECOND:
            continue
        first, second = (PurePath(str(case.read.captures[k].path)).name for k in (item.first, item.second))
        yield Finding(
            title=f"The clocks of two files differ by {span(abs(item.ns))}",
            summary=(
                f"{counted(item.matches, 'packet')} that are in both: {second} is {span(abs(item.ns))} "
                f"{'ahead of' if item.ns > 0 else 'behind'} {first}. Read as one, their packets are in the wrong "
                "order: "
                "states of connections, losses and rates over time are not reliable."
            ),
            remedy=(
                f"Shift one of them and read again: editcap -t {-item.ns / 1e9:.6f} {second} shifted.pcapng. For the "
                "next time, let all capturing computers keep time by NTP."
            ),
        )
    known = (flows.proto == TCP) & (flows.syn_ns != 0) & (flows.synack_ns != 0)
    early = known & (flows.syn_ns - flows.synack_ns > setting("early") * SECOND)
    count, of = int(early.sum()), int(known.sum())
    if not count or count < setting("connections") or count < setting("share") * of:
        return
    rows = np.flatnonzero(early)
    ahead = int(np.median((flows.syn_ns - flows.synack_ns)[rows]))
    yield Finding(
        title=f"Answers come before their requests in {counted(count, 'TCP connection')}",
        summary=(
            f"In {count:,} of {counted(of, 'connection')} the SYN-ACK is earlier than the SYN, by {span(ahead)} "
            "(median). Both "
            "directions were captured by clocks that differ, or by interfaces that deliver at different speed. Answer "
            "times and the order of packets are not reliable."
        ),
        flow_ids=rows.tolist(),
        first_record=case.first_record(rows),
        selection=filters.of_flows(case, rows.tolist()),
    )


RULE = Rule(
    code="CAP-CLOCKS",
    severity="warning",
    title="Clocks of files or interfaces differ",
    remedy="Capture both directions with one computer and one interface (a mirror or an aggregating tap), or let the "
    "computers "
    "keep time by NTP or PTP; shift a file with editcap -t.",
    source="ours; RFC 9293, 3.5: a SYN-ACK answers a SYN",
    check=check,
    needs=(needs.PACKETS, needs.WATCHED),
    settings=(
        Setting("seconds", 0.1, "s", "that the times of packets in two files may differ"),
        Setting("early", 0.001, "s", "that a SYN-ACK must be earlier than its SYN"),
        Setting("connections", 3, "connections", "with such a SYN-ACK, from which it is said"),
        Setting("share", 0.1, "share", "of the handshakes with such a SYN-ACK, from which it is said"),
    ),
)
