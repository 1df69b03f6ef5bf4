"""DGF-MC-SWITCH: what the network does wrong with Digifort's own groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.groups import ANNOUNCEMENT, MEDIA, Group
from classifier.findings.model import SEVERITIES, Finding, Rule, Skipped, nothing
from classifier.findings.multicast import ANNOUNCE_SOURCE, GROUPS
from classifier.findings.snooping import (
    AGE,
    FLOOD,
    LEAVE,
    MEMBERSHIP,
    PACKETS,
    PAUSE,
    RESTART,
    SLACK,
    Values,
    aged,
    aliases_link_local,
    confined,
    flooded,
    left,
    silent,
    unheard,
    unqueried,
)
from classifier.units import span

Verdicts = dict[str, list[tuple[str, str, str]]]


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    said, unknown = _verdicts(case, setting)
    for component, use in ((MEDIA, "media"), (ANNOUNCEMENT, "announcements")):
        for group in case.groups.of(component):
            if group.address in said:
                yield _finding(case, group, use, said.pop(group.address))
    if unknown:
        yield Skipped(f"not all could be checked: {'; '.join(dict.fromkeys(unknown))}")


def _verdicts(case: Case, setting: Values) -> tuple[Verdicts, list[str]]:
    """(severity, rule's code, words) per group; and what could not be checked."""
    said: Verdicts = defaultdict(list)
    ours = [group for component in (MEDIA, ANNOUNCEMENT) for group in case.groups.of(component)]
    unknown: list[str] = []

    def found(items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            if isinstance(item, Skipped):
                unknown.append(item.because)
            else:
                yield item

    for _, groups in found(unqueried(case, setting("age"), ours)):
        for name in groups:
            said[name].append(("warning", "NET-MC-NOQUERIER", "no querier asks for its members"))
    for group, start, end in found(silent(case, setting, ours)):
        words = f"it was joined and nothing was sent to it in {span(end - start)}"
        said[group.address].append(("warning", "NET-MC-NODATA", words))
    for group in found(flooded(case, setting, ours)):
        worst = "info" if aliases_link_local(group.address) else "warning"
        said[group.address].append((worst, "NET-MC-FLOODED", "it comes to a port without a member"))
    for group in found(unheard(case, setting, ours)):
        said[group.address].append(("info", "NET-MC-NOLISTENER", "nobody joined it, as far as reports pass here"))
    for group, since, stop, _, _ in aged(case, setting, ours):
        words = f"it stopped {span(stop - since)} after the last report and came back with a new join"
        said[group.address].append(("warning", "NET-MC-AGED", words))
    for group, leave, _ in found(left(case, setting, ours)):
        said[group.address].append(("info", "NET-MC-LEAVE", f"it went on after {leave.host} had left"))
    for group, _, _, _ in found(confined(case, ours)):
        said[group.address].append(("warning", "NET-MC-TTL", "its TTL of 1 keeps it from members in other VLANs"))
    return said, unknown


def _finding(case: Case, group: Group, use: str, said: list[tuple[str, str, str]]) -> Finding:
    said = sorted(said, key=lambda item: SEVERITIES.index(item[0]))
    flow_ids = group.flow_ids()
    first = case.first_record(flow_ids) or min((item.record for item in group.messages), default=0)
    consequence = (
        "Clients that watch by multicast get frozen or no pictures, or the network carries them everywhere."
        if use == "media"
        else "Servers may be missing in the lists of clients."
    )
    return Finding(
        title=f"Digifort's {use} group {group.address}: {said[0][2]}",
        summary=f"{listed([f'{words} ({code})' for _, code, words in said])}. {consequence} See the findings named "
        "here.",
        flow_ids=flow_ids,
        first_record=first,
        selection=filters.to_group(case, group.address) if group.packets else nothing,
        severity=said[0][0],
    )


RULE = Rule(
    code="DGF-MC-SWITCH",
    severity="warning",
    title="The network does not handle Digifort's multicast well",
    remedy=(
        "On the switches: IGMP snooping and one querier in every VLAN with Digifort servers or clients. The findings "
        "named in the summary say what is missing."
    ),
    source=ANNOUNCE_SOURCE.format(
        "Make sure that your switches can handle multicast data properly, or many Digifort services may not work "
        "properly."
    ),
    check=check,
    needs=(GROUPS,),
    settings=(AGE, MEMBERSHIP, FLOOD, PACKETS, SLACK, PAUSE, RESTART, LEAVE),
)
