"""NET-MC-AGED: multicast stops when the membership ages out, and comes back with a new join."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule
from classifier.findings.snooping import AGE, PAUSE, RESTART, SLACK, aged
from classifier.units import span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for group, since, stop, again, restart in aged(case, setting, case.groups.all):
        flow_ids = group.flow_ids()
        yield Finding(
            title=f"{group.address} stops {span(stop - since)} after the last join, returns with a new one",
            summary=(
                f"Last report at {case.at(since)}, data until {case.at(stop)}, new join at {case.at(again)}, data "
                f"again from {case.at(restart)}. No query asked in between. So the switch forgot the member and cut "
                "the group off: pictures freeze some minutes after every start. Times are exact to "
                f"{span(case.groups.width_ns)}."
            ),
            flow_ids=flow_ids,
            first_record=case.first_record(flow_ids),
            selection=filters.to_group(case, group.address),
        )


RULE = Rule(
    code="NET-MC-AGED",
    severity="warning",
    title="Multicast stops minutes after the start",
    remedy="There is no querier where there must be one: switch it on on one switch or router of this network.",
    source="RFC 9776 section 8.4: a membership lives 2 * 125 s + 10 s = 260 s without being asked for",
    check=check,
    settings=(AGE, SLACK, PAUSE, RESTART),
)
