"""NET-MC-NODATA: hosts joined a group, and nothing is sent to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.snooping import MEMBERSHIP, silent
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    for item in silent(case, setting, case.groups.all):
        if isinstance(item, Skipped):
            yield item
            continue
        group, start, end = item
        before = f" Data were sent to it at another time, until {case.at(group.last_ns)}." if group.packets else ""
        yield Finding(
            title=f"{counted(len(group.members), 'host')} joined {group.address}, no data for it in "
            f"{span(end - start)}",
            summary=(
                f"{listed([case.place(host) for host in group.members])} joined from {case.at(start)} on; no UDP "
                f"packet to {group.address} came from anybody until {case.at(end)}.{before} The source is silent, or "
                "its packets do not get to this network: no router port known to the switch, another VLAN, or a TTL "
                "of 1."
            ),
            flow_ids=group.flow_ids(),
            first_record=group.joins[0].record,
            selection=filters.of_reports(case, group.address),
        )


RULE = Rule(
    code="NET-MC-NODATA",
    severity="warning",
    title="Joined, but nothing is sent",
    remedy=(
        "Look whether the source sends (capture at its port), then follow the way: same VLAN, querier and router "
        "port on the switches between, multicast routing and TTL where a router lies between."
    ),
    source="ours; joins by RFC 2236 and RFC 9776",
    check=check,
    settings=(MEMBERSHIP,),
)
