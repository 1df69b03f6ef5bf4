"""NET-MC-FLOODED: a port gets the data of groups that nobody there joined."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import AGE, FLOOD, PACKETS, aliases_link_local, flooded
from classifier.findings.vantage import BYSTANDER
from classifier.units import rate


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    groups = []
    for item in flooded(case, setting, case.groups.all):
        if isinstance(item, Skipped):
            yield item
            return
        groups.append(item)
    if not groups:
        return
    groups.sort(key=lambda group: (aliases_link_local(group.address), -group.wire))
    expected = [group.address for group in groups if aliases_link_local(group.address)]
    said = [f"{group.address} {rate(group.bps)}, {group.pps():.0f} packets/s" for group in groups]
    where = (
        "a port that has no part in it"
        if case.vantage.place == BYSTANDER
        else f"the port of {listed(list(case.vantage.hosts))}"
    )
    note = (
        f" {listed(expected)} {'has' if len(expected) == 1 else 'have'} the MAC address of a 224.0.0.x: switches that "
        "filter by MAC address send it everywhere, which is no fault."
        if expected
        else ""
    )
    asked = case.groups.queries
    querier = (
        "A query passed, and nobody at this port answered it for them."
        if asked
        else f"No query was seen: a switch that keeps a group to its members would have forgotten them after "
        f"{setting('age'):.0f} s."
    )
    flow_ids = [flow for group in groups for flow in group.flow_ids(most=100)]
    total = rate(sum(group.bps for group in groups))
    yield Finding(
        title=f"Multicast floods {where}: {total} of {listed([group.address for group in groups])}",
        summary=(
            f"{listed(said)}. No join for {'them' if len(groups) > 1 else 'it'} passed here. {querier} Snooping is "
            f"off, or the switch sends groups that nobody registered to all ports.{note}"
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.to_group(case, groups[0].address),
        severity="info" if len(expected) == len(groups) else "warning",
    )


RULE = Rule(
    code="NET-MC-FLOODED",
    severity="warning",
    title="Multicast floods ports without members",
    remedy=(
        "Switch IGMP snooping and one querier on, and set unregistered multicast to be blocked where the switch can. "
        "Slow ports and devices (cameras, wireless) suffer first."
    ),
    source="RFC 4541 section 2.1.2 (unregistered groups may be flooded); the rate is ours",
    check=check,
    settings=(FLOOD, PACKETS, AGE),
)
