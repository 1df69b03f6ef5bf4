"""DGF-MC-SHARED: two servers send to one media group at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np

from classifier.columns import NO_VLAN
from classifier.findings import filters
from classifier.findings.case import Array, Case, listed
from classifier.findings.groups import Group
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.multicast import (
    MEDIA_GROUP,
    MEDIA_SOURCE,
    PACKETS,
    SECOND,
    announcers,
    media_groups,
    only_rtcp,
)
from classifier.units import counted, rate, span

SENDERS = 20
"""Senders of a group that are compared with each other, those with most packets."""
PORTS = 200
"""Ports with several senders that are compared over time."""

Runs = list[tuple[int, int]]


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for group in media_groups(case):
        finding = _shared(case, group, setting)
        if finding is not None:
            yield finding


def _shared(case: Case, group: Group, setting: Callable[[str], float]) -> Finding | None:
    gap, least = int(setting("pause") * SECOND), int(setting("overlap") * SECOND)
    sources = group.sources[~only_rtcp(case, group.sources)]
    rows = {sender: sources[sources["sender"] == sender] for sender in group.senders[:SENDERS]}
    rows = {sender: of for sender, of in rows.items() if int(of["packets"].sum()) >= setting("packets")}
    runs = {sender: case.groups.runs(of, gap) for sender, of in rows.items()}
    pairs = []
    for a, b in combinations(rows, 2):
        common = overlap(runs[a], runs[b])
        if sum(end - start for start, end in common) <= least:
            continue
        if not one_host(case, group, a, b) and not _apart(group, rows[a], rows[b]):
            pairs.append((a, b, common))
    if not pairs:
        return None
    both = list(dict.fromkeys(sender for a, b, _ in pairs for sender in (a, b)))
    names = [case.addresses.text(sender) for sender in both]
    start = min(common[0][0] for _, _, common in pairs)
    lasting = max(sum(end - begin for begin, end in common) for _, _, common in pairs)
    ports = _same_ports(case, group, both, gap, least)
    said = [
        f"{case.place(name)} sent {counted(int(rows[sender]['packets'].sum()), 'packet')} to "
        f"{counted(len(rows[sender]), 'port')} ({rate(_rate(rows[sender]))})"
        for sender, name in zip(both, names, strict=True)
    ]
    numbers = listed([str(port) for port in ports])
    worse = (
        f" Worse: on {'port' if len(ports) == 1 else 'ports'} {numbers} they sent at the same time, so receivers of "
        "such a port get packets of two streams mixed."
        if ports
        else " No port had two senders at the same time, so far; each server counts its ports up on its own."
    )
    flow_ids = [flow for sender in both for flow in group.flow_ids(rows[sender], 200)]
    return Finding(
        title=f"{len(both)} servers share the media group {group.address}: {listed(names)}",
        summary=(
            f"{listed(said, most=10)}. They overlap from {case.at(start)}, for {span(lasting)}.{worse} The time is "
            f"exact to {span(case.groups.width_ns)}. Senders whose multicast does not reach this capture are not "
            "known."
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
        selection=filters.to_group(case, group.address),
    )


def _apart(group: Group, first: Array, second: Array) -> bool:
    """Whether two senders are in VLANs of their own, and the TTL of one keeps its packets there."""
    ours, theirs = set(group.vlans(first)), set(group.vlans(second))
    confined = any(set(rows["ttl"].tolist()) == {1} for rows in (first, second))
    return NO_VLAN not in ours | theirs and not ours & theirs and confined


def overlap(a: Runs, b: Runs) -> Runs:
    """The times that are in both of two ordered lists of times."""
    out, i, j = [], 0, 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            out.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return out


def one_host(case: Case, group: Group, a: int, b: int) -> bool:
    """Whether two addresses are one machine, or one sends on what the other sent."""
    first, second = group.of_sender(a), group.of_sender(b)
    ours, theirs = _ssrcs(case, group, first), _ssrcs(case, group, second)
    if ours and ours == theirs:
        return True
    macs = group.macs(first)
    if not macs or macs != group.macs(second):
        return False
    routed = any(case.vantage.is_local(case.addresses.text(number)) is False for number in (a, b))
    return not routed and len({a, b} & announcers(case)) < 2


def _ssrcs(case: Case, group: Group, rows: Array) -> set[tuple[int, int]]:
    """(port, SSRC) of the RTP streams in some SOURCE rows."""
    ports = case.flows.resp_port
    flows = group.flow_ids(rows, 10_000)
    return {(int(ports[flow]), int(row["ssrc"])) for flow in flows for row in case.groups.ssrcs.get(flow, [])}


def _same_ports(case: Case, group: Group, senders: list[int], gap: int, least: int) -> list[int]:
    """Ports that two of the senders sent to at the same time."""
    rows = group.sources[np.isin(group.sources["sender"], senders) & ~only_rtcp(case, group.sources)]
    numbers, count = np.unique(rows["port"], return_counts=True)
    out = []
    for port in numbers[count > 1][:PORTS].tolist():
        here = rows[rows["port"] == port]
        runs = [case.groups.runs(here[k : k + 1], gap) for k in range(len(here))]
        pairs = combinations(range(len(here)), 2)
        common = [sum(end - start for start, end in overlap(runs[i], runs[j])) for i, j in pairs]
        if max(common) > least:
            out.append(int(port))
    return out


def _rate(rows: Array) -> float:
    seconds = max(float(rows["last_ns"].max() - rows["first_ns"].min()) / SECOND, 1.0)
    return float(rows["wire"].sum()) * 8 / seconds


RULE = Rule(
    code="DGF-MC-SHARED",
    severity="error",
    title="Two servers send to one media group at the same time",
    remedy=(
        "Give each Digifort server a multicast address of its own (server settings, multicast), and choose addresses "
        "that differ in their last 23 bits."
    ),
    source=MEDIA_SOURCE.format(
        "When having multiple Digifort servers on the same network, make sure that each Digifort server will send "
        "data on a different multicast address."
    ),
    check=check,
    needs=(MEDIA_GROUP,),
    settings=(
        PACKETS,
        Setting("overlap", 1, "s", "that two senders must have been active together; less is a failover"),
        Setting("pause", 5, "s", "without packets that still belong to one time of activity"),
    ),
)
