"""DGF-MC-MACALIAS: a group of Digifort and another group share one MAC address."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.groups import ANNOUNCEMENT, MEDIA, Group, group_mac
from classifier.findings.model import Finding, Rule, nothing
from classifier.findings.multicast import GROUPS, MEDIA_SOURCE
from classifier.tables.addresses import mac_text
from classifier.units import counted, rate


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    groups, addresses = case.groups, case.addresses
    ours = [group for component in (MEDIA, ANNOUNCEMENT) for group in groups.of(component)]
    sent = distinct(groups.sources["group"])
    low = addresses.words[sent, 3] & 0x7FFFFF
    four = addresses.version[sent] == 4
    told: set[int] = set()
    for group in ours:
        mac = group_mac(group.address)
        if mac in told or ":" in group.address:
            continue
        told.add(mac)
        names = set(addresses.texts(sent[four & (low == mac & 0x7FFFFF)]).tolist())
        names |= {name for name in groups.messages if ":" not in name and group_mac(name) == mac}
        others = [groups.get(name) for name in sorted(names - {group.address})]
        if others:
            yield _finding(case, group, sorted(others, key=lambda other: -other.wire))


def _finding(case: Case, group: Group, others: list[Group]) -> Finding:
    mac = mac_text(group_mac(group.address))
    names = [group.address, *(other.address for other in others)]
    said = [f"{each.address} {_use(each)}" for each in (group, *others[:4])]
    sending = bool(group.packets) and any(other.packets for other in others)
    shown = next((each for each in (*others, group) if each.packets), group)
    flow_ids = [flow for each in (*others, group) for flow in each.flow_ids(most=100)]
    first = case.first_record(flow_ids) or min((item.record for each in others for item in each.messages), default=0)
    return Finding(
        title=f"{listed(names)} share one MAC address, {mac}",
        summary=(
            f"{'; '.join(said)}. Only the last 23 bits of a group address are in its MAC address, so 32 groups share "
            "one. Network cards, and switches that filter by MAC, give whoever joined one of these groups the "
            "packets of the others as well."
        ),
        flow_ids=flow_ids,
        first_record=first,
        selection=filters.to_group(case, shown.address) if shown.packets else nothing,
        severity="warning" if sending else "info",
    )


def _use(group: Group) -> str:
    if not group.packets:
        return f"was joined by {counted(len(group.members), 'host')}, nothing is sent to it here"
    return f"gets {rate(group.bps)} from {counted(len(group.senders), 'sender')}"


RULE = Rule(
    code="DGF-MC-MACALIAS",
    severity="warning",
    title="Two multicast groups share one MAC address",
    remedy=(
        "Choose group addresses whose last 23 bits differ: not the same last two numbers with a second number that "
        "is equal or differs by 128 (225.5.10.1, 226.5.10.1 and 225.133.10.1 are one MAC address)."
    ),
    source=(
        MEDIA_SOURCE.format("each Digifort server will send data on a different multicast address")
        + "; RFC 1112 section 6.4 for the MAC address"
    ),
    check=check,
    needs=(GROUPS,),
)
