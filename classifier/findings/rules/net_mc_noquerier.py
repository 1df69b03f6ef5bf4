"""NET-MC-NOQUERIER: hosts joined groups, and nobody asks who is still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.evidence.collect import Membership
from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import AGE, network, unqueried
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    for item in unqueried(case, setting("age")):
        if isinstance(item, Skipped):
            yield item
        else:
            yield _finding(case, *item, setting("age"))


def _finding(case: Case, where: tuple[int, int], groups: dict[str, list[Membership]], age: float) -> Finding:
    vlan, version = where
    protocol = "IGMP" if version == 4 else "MLD"
    names = sorted(groups, key=lambda name: (name in case.groups.known_services, -case.groups.get(name).wire, name))
    media = [name for name in names if name not in case.groups.known_services]
    hosts = {item.host for items in groups.values() for item in items}
    first = min((item for items in groups.values() for item in items), key=lambda item: item.ts_ns)
    return Finding(
        title=f"No multicast querier{network(vlan)}: {counted(len(groups), 'group')} joined, no {protocol} query in "
        f"{span(case.duration_ns)}",
        summary=(
            f"{counted(len(hosts), 'host')} joined {listed(names)}, from {case.at(first.ts_ns)} on, and nobody asked "
            f"whether they are still there. Switches with IGMP snooping forget a group {age:.0f} s after the last "
            "report and then cut it off, or send it to every port. A switch without snooping does not mind."
        ),
        flow_ids=[flow for name in names[:5] for flow in case.groups.get(name).flow_ids(most=100)],
        first_record=first.record,
        selection=filters.of_reports(case, names[0]),
        severity="warning" if media else "info",
    )


RULE = Rule(
    code="NET-MC-NOQUERIER",
    severity="warning",
    title="No multicast querier",
    remedy=(
        "Switch on the IGMP querier on one switch or router of this network (with an address of its own), or switch "
        "IGMP snooping off everywhere."
    ),
    source="RFC 9776 section 8 (timers), RFC 4541 section 2.1.1 (snooping needs a querier)",
    check=check,
    settings=(AGE,),
)
