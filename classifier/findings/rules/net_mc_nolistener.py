"""NET-MC-NOLISTENER: data for groups that nobody joined, as far as the reports here tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import AGE, PACKETS, lifetime_s, unheard
from classifier.units import counted, rate, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    groups = []
    for item in unheard(case, setting, case.groups.all):
        if isinstance(item, Skipped):
            yield item
            return
        groups.append(item)
    if not groups:
        return
    groups.sort(key=lambda group: -group.wire)
    flow_ids = [flow for group in groups for flow in group.flow_ids(most=100)]
    bps = sum(group.bps for group in groups)
    yield Finding(
        title=f"Nobody joined {counted(len(groups), 'group')} that {rate(bps)} are sent to: "
        f"{listed([group.address for group in groups])}",
        summary=(
            f"In {span(case.duration_ns)} no report for {'them' if len(groups) > 1 else 'it'} passed here, although "
            "queries and the reports of other groups do. A member must answer a query, so there is none in this "
            f"network, or its reports do not come this way. (A group lives {lifetime_s(case, setting('age')):.0f} s "
            "after a report.)"
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.to_group(case, groups[0].address),
    )


RULE = Rule(
    code="NET-MC-NOLISTENER",
    severity="info",
    title="Data for groups without a member",
    remedy="If nobody needs it, stop the sender. If somebody does, look why its reports do not come this way.",
    source="RFC 9776 sections 4 and 8: members answer general queries",
    check=check,
    settings=(AGE, PACKETS),
)
