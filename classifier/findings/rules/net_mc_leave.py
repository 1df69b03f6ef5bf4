"""NET-MC-LEAVE: a group's data go on after the host at this port has left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import LEAVE, PACKETS, left
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    for item in left(case, setting, case.groups.all):
        if isinstance(item, Skipped):
            yield item
            continue
        group, leave, too_many = item
        yield Finding(
            title=f"{group.address} goes on after {case.place(leave.host)} left it",
            summary=(
                f"It left at {case.at(leave.ts_ns)}; {counted(too_many, 'packet')} of the group came to its port "
                f"later than {setting('leave'):.0f} s after that. Snooping is off or does not act on leaves here, or "
                "another member is behind the same port."
            ),
            flow_ids=group.flow_ids(),
            first_record=leave.record,
            selection=filters.to_group(case, group.address),
        )


RULE = Rule(
    code="NET-MC-LEAVE",
    severity="info",
    title="Multicast goes on after a leave",
    remedy=(
        "Look whether snooping is on for this VLAN. Clients that switch between many cameras fill their port with "
        "streams they left; fast leave helps on ports with one host."
    ),
    source="RFC 9776 sections 8.8 and 8.9: the last member is asked twice within 2 s; the 3 s are ours",
    check=check,
    settings=(LEAVE, PACKETS),
)
