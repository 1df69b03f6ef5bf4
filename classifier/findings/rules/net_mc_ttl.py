"""NET-MC-TTL: multicast with TTL 1 whose members are in another VLAN."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import confined


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    for item in confined(case, case.groups.all):
        if isinstance(item, Skipped):
            yield item
            continue
        group, vlan, others, members = item
        senders = [case.place(case.addresses.text(number)) for number in group.senders]
        flow_ids = group.flow_ids()
        yield Finding(
            title=f"{group.address} is sent with TTL 1 in VLAN {vlan}, its members are in VLAN "
            f"{listed(list(map(str, others)))}",
            summary=(
                f"{listed(senders)} sends with TTL 1, which no router forwards; "
                f"{listed([case.place(m) for m in members])} joined elsewhere. They get nothing, whatever the "
                "multicast routing does."
            ),
            flow_ids=flow_ids,
            first_record=case.first_record(flow_ids),
            selection=filters.to_group(case, group.address),
        )


RULE = Rule(
    code="NET-MC-TTL",
    severity="warning",
    title="The TTL keeps multicast from its members",
    remedy="Raise the multicast TTL in the sender's settings above the number of routers, or move sender and members "
    "together.",
    source="RFC 1112 section 6.1: the TTL is 1 unless the program chooses another",
    check=check,
)
