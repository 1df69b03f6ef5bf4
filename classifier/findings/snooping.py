"""What a capture shows of the network's handling of multicast: queriers, members, and what switches forward.

In: a Case, settings of a rule, groups to look at. Out: what is wrong with which of them, or why the capture cannot
tell. Next: the rules net_mc_* for all groups, and DGF-MC-SWITCH, which says what of it concerns Digifort's.

Snooping switches send reports towards the querier only (RFC 4541 2.1.1), queries and 224.0.0.x to everybody
(2.1.2). So what a capture can tell depends on where it was taken, and a claim of absence on how long it is: a group
lives for robustness * query interval + response interval after a member's last report, 2 * 125 s + 10 s = 260 s
unless a query says otherwise (RFC 9776 8.4).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from classifier.columns import NO_VLAN
from classifier.findings.groups import ANNOUNCEMENT, is_link_local, not_link_local
from classifier.findings.model import Setting, Skipped
from classifier.findings.vantage import BYSTANDER, HOST, PORT
from classifier.flows.copies import GAP
from classifier.flows.table import address_words
from classifier.units import counted, span

if TYPE_CHECKING:
    from classifier.evidence.collect import Membership
    from classifier.findings.case import Case
    from classifier.findings.groups import Group

SECOND = 1_000_000_000
Values = Callable[[str], float]

AGE = Setting(
    "age", 260, "s", "after a report that a group lives on without a querier (RFC 9776 8.4 with its defaults)"
)
MEMBERSHIP = Setting("membership", 30, "s", "that a membership must have lasted in the capture")
FLOOD = Setting("pps", 10, "packets/s", "to a group while it is sent to, from which it counts as flooded")
SLACK = Setting("slack", 20, "s", "that the ageing may differ from `age`")
PAUSE = Setting("pause", 10, "s", "without data that count as a stop")
RESTART = Setting("restart", 5, "s", "after a new join within which the data must be back")
LEAVE = Setting("leave", 3, "s", "after a leave within which the data must stop")
PACKETS = Setting("packets", 10, "packets", "of data that a claim rests on")
SENDERS_COMPARED = 20
LONG_PAUSE_NS = 60 * SECOND
"""Time without any packet that was not captured, rather than quiet (ours)."""


def lifetime_s(case: Case, age: float) -> float:
    """How long a group lives after a report: what queries say of it, the longest, else `age`."""
    said = [
        (item.timers.robustness or 2) * item.timers.interval_s + item.timers.response_ms / 1000
        for item in case.groups.queries
        if item.timers.interval_s
    ]
    return max(said, default=age)


def too_short(case: Case, seconds: float) -> str:
    """Why a capture does not last for a claim of absence; empty when it does. Long pauses without any packet do not
    count: a network is never that quiet, so nothing was captured (CAP-PAUSE)."""
    watched = case.read.watched
    rows = watched.events.tolist() if watched is not None else []
    paused = sum(row[1] - row[0] for row in rows if row[4] == GAP and row[1] - row[0] > LONG_PAUSE_NS)
    if case.duration_ns - paused >= seconds * SECOND:
        return ""
    without = f" without pauses of {span(paused)}" if paused else ""
    return f"the capture is {span(case.duration_ns - paused)} long{without}, the claim needs {seconds:.0f} s"


def cannot_tell(case: Case, seconds: float) -> str:
    """Why the absence of IGMP messages means nothing here; empty when it does."""
    short = too_short(case, seconds)
    if short:
        return short
    if case.groups.unread:
        return case.groups.unread
    if case.vantage.lossy:
        return f"packets are missing from the capture: {', '.join(case.vantage.loss)}"
    if case.vantage.both_directions is False:
        return "only one direction of the traffic was captured"
    return ""


def others_heard(case: Case, hosts: Iterable[str]) -> bool:
    """Whether anything that other hosts sent is here: a capture of what one host sends shows no answers."""
    numbers = [case.addresses.find(host) for host in hosts]
    flows, addresses = case.flows, case.addresses
    sent = (flows.orig_packets > 0) & ~np.isin(addresses.orig, numbers)
    back = (flows.resp_packets > 0) & ~np.isin(addresses.resp, numbers)
    return bool((sent | back).any())


def network(vlan: int) -> str:
    """` in VLAN 20`; empty without a tag."""
    return "" if vlan == NO_VLAN else f" in VLAN {vlan}"


def family(address: str) -> int:
    """4 or 6."""
    return 6 if ":" in address else 4


def general_queries(case: Case) -> dict[tuple[int, int], list[Membership]]:
    """General queries per (VLAN, IP version), in order of time."""
    out: dict[tuple[int, int], list[Membership]] = defaultdict(list)
    for item in case.groups.queries:
        if not item.group:
            out[item.vlan, family(item.host)].append(item)
    return out


def no_address(host: str) -> bool:
    """Whether a query came from nobody: a switch without an address of its own."""
    return host in ("0.0.0.0", "::")


# -- groups nobody asks about


def joined(case: Case, groups: Iterable[str]) -> dict[tuple[int, int], dict[str, list[Membership]]]:
    """Joins per (VLAN, IP version) and group, of those of some groups that switches may filter."""
    out: dict[tuple[int, int], dict[str, list[Membership]]] = defaultdict(lambda: defaultdict(list))
    for group in groups:
        if not is_link_local(group):
            for item in case.groups.messages.get(group, []):
                if item.kind == "join":
                    out[item.vlan, family(group)][group].append(item)
    return out


def unqueried(
    case: Case, age: float, some: Sequence[Group] | None = None
) -> Iterator[tuple[tuple[int, int], dict[str, list[Membership]]] | Skipped]:
    """Networks with members (of some groups, or any) and without any query: ((VLAN, IP version), joins by group)."""
    asked = {(item.vlan, family(item.host)) for item in case.groups.queries}
    names = case.groups.messages if some is None else [group.address for group in some]
    for where, groups in joined(case, names).items():
        if where in asked:
            continue
        because = cannot_tell(case, age)
        hosts = {item.host for items in groups.values() for item in items}
        if not because and not others_heard(case, hosts):
            because = "only what the members themselves sent was captured"
        if because:
            yield Skipped(f"no query for members{network(where[0])}, but {because}")
        else:
            yield where, dict(groups)


# -- data without members, members without data


def silent(case: Case, setting: Values, groups: Sequence[Group]) -> Iterator[tuple[Group, int, int] | Skipped]:
    """Groups with members and without data: (group, from, to).

    Digifort's announcements are left out: how often they come is not public (DGF-ANN-NONE).
    """
    short = hidden = 0
    rare = {*case.groups.known_services, *case.groups.addresses_of(ANNOUNCEMENT)}
    for group in not_link_local(groups):
        joins = group.joins
        if not joins or group.address in rare or is_assigned(group.address):
            continue
        start, end = joins[0].ts_ns, member_until(case, group)
        if end - start < setting("membership") * SECOND:
            short += not group.packets
            continue
        if _sent_within(case, group, start, end) or len(group.sent_by(group.members)) == len(group.members):
            continue
        if case.vantage.both_directions is False or not others_send(case, group.members):
            hidden += 1
        else:
            yield group, start, end
    if hidden:
        words = "but none for other groups from other hosts either: a filter may have left them out"
        yield Skipped(f"no data for {counted(hidden, 'joined group')}, {words}")
    if short:
        yield Skipped(f"memberships without data lasted less than {setting('membership'):.0f} s: {short} of them")


def member_until(case: Case, group: Group) -> int:
    """When the last member left; the end of the capture when one stayed."""
    last: dict[str, Membership] = {item.host: item for item in group.messages}
    if last and all(item.kind == "leave" for item in last.values()):
        return max(item.ts_ns for item in last.values())
    return int(case.facts.totals["last_ns"])


def _sent_within(case: Case, group: Group, start: int, end: int) -> bool:
    if not group.packets:
        return False
    times, _, _ = case.groups.over_time(group.sources)
    return bool(((times + case.groups.width_ns > start) & (times <= end)).any())


def others_send(case: Case, hosts: Iterable[str]) -> bool:
    """Whether multicast data of other hosts are here: else a filter may have left all of it out."""
    numbers = [case.addresses.find(host) for host in hosts]
    return bool((~np.isin(case.groups.sources["sender"], numbers)).any())


def is_assigned(group: str) -> bool:
    """Blocks of groups that protocols own, for discovery and routing: 224.0.1.x (RFC 5771 5), 239.255.255.x."""
    version, words = address_words(group)
    return version == 4 and words[3] >> 8 in (0xE00001, 0xEFFFFF)


def aliases_link_local(group: str) -> bool:
    """Whether a group has the MAC address of a 224.0.0.x: switches that filter by MAC flood it."""
    version, words = address_words(group)
    return version == 4 and not words[3] & 0x7FFF00


def flooded(case: Case, setting: Values, groups: Sequence[Group]) -> Iterator[Group | Skipped]:
    """Groups whose data come to a port that has no member of them.

    That there is none shows in one of two ways: a query passed and nobody answered it for the group; or no query passed
    for so long that a switch that knew of a member would have forgotten it.
    """
    view = case.vantage
    if view.place not in (BYSTANDER, HOST, PORT):
        return
    age = setting("age")
    came = [
        group
        for group in not_link_local(groups)
        if group.packets and group.packets >= setting("packets") and group.pps() >= setting("pps") and not group.joins
        and not group.sent_by(view.hosts) and group.address not in case.groups.known_services
    ]  # fmt: skip
    if not came:
        return
    end = int(case.facts.totals["last_ns"])
    asked = [item for item in case.groups.queries if not item.group]
    answered = any(end - item.ts_ns > max(item.timers.response_ms, 10_000) * 1_000_000 for item in asked)
    if not answered:
        long = [] if asked else [group for group in came if group.last_ns - group.first_ns > age * SECOND]
        if not long:
            yield Skipped(
                f"{counted(len(came), 'group')} without a join came to this port, but no query passed that a member "
                f"here would have answered, and without one the data must last {age:.0f} s"
            )
        came = long
    if came and case.groups.unread:
        yield Skipped(case.groups.unread)
    else:
        yield from came


def unheard(case: Case, setting: Values, groups: Sequence[Group]) -> Iterator[Group | Skipped]:
    """Groups that are sent to, that nobody joined, although reports of other groups and queries pass here."""
    came = [
        group
        for group in not_link_local(groups)
        if group.packets
        and group.packets >= setting("packets")
        and not group.joins
        and group.address not in case.groups.known_services
    ]
    if not came or case.vantage.place == BYSTANDER:
        return
    seconds = lifetime_s(case, setting("age"))
    because = cannot_tell(case, seconds)
    if not because and not any(not item.group for item in case.groups.queries):
        because = "no query passed, so members had no reason to report"
    if not because and not case.vantage.sees_other_reports:
        because = "no report of any other host passes here: a snooping switch keeps them away"
    if because:
        yield Skipped(f"data without a join was seen, but {because}")
        return
    yield from came


# -- what switches should have done


def aged(case: Case, setting: Values, groups: Sequence[Group]) -> Iterator[tuple[Group, int, int, int, int]]:
    """Groups whose data stopped when their membership aged out: (group, since, stop, new join, restart).

    `since`: the last report before the stop, or the beginning of the data.
    """
    age, slack = lifetime_s(case, setting("age")) * SECOND, setting("slack") * SECOND
    asked = np.array([item.ts_ns for item in case.groups.queries], "i8")
    for group in not_link_local(groups):
        joins = np.array([item.ts_ns for item in group.joins], "i8")
        if not group.packets or not len(joins) or group.last_ns - group.first_ns < age - slack:
            continue
        leaves = np.array([item.ts_ns for item in group.leaves], "i8")
        runs = case.groups.runs(group.sources, int(setting("pause") * SECOND))
        for (start, stop), (restart, _) in pairwise(runs):
            again = joins[(joins > stop) & (joins <= restart + case.groups.width_ns)]
            if not len(again) or restart - int(again[-1]) > setting("restart") * SECOND:
                continue
            before = joins[joins <= stop]
            since = int(before[-1]) if len(before) else start
            quiet = not ((asked > since) & (asked <= stop)).any()
            stayed = not ((leaves > since) & (leaves <= stop)).any()
            if quiet and stayed and abs(stop - since - age) <= slack:
                yield group, since, stop, int(again[-1]), restart
                break


def left(case: Case, setting: Values, groups: Sequence[Group]) -> Iterator[tuple[Group, Membership, int] | Skipped]:
    """Groups whose data go on at the port of a host that left: (group, leave, packets too many)."""
    some = [group for group in not_link_local(groups) if group.leaves and group.packets]
    if not some:
        return
    view = case.vantage
    if view.place not in (HOST, PORT):
        yield Skipped("hosts left groups, but the capture was not taken at the port of one of them")
        return
    wait = int(setting("leave") * SECOND)
    for group in some:
        if group.sent_by(view.hosts):
            continue
        times, packets, _ = case.groups.over_time(group.sources)
        for item in group.leaves:
            if item.host not in view.hosts:
                continue
            again = min((join.ts_ns for join in group.joins if join.ts_ns >= item.ts_ns), default=None)
            over = (times >= item.ts_ns + wait) & (times + case.groups.width_ns <= (again or times[-1] + SECOND))
            too_many = int(packets[over].sum())
            if too_many >= setting("packets"):
                yield group, item, too_many
                break


def confined(case: Case, groups: Sequence[Group]) -> Iterator[tuple[Group, int, list[int], list[str]] | Skipped]:
    """Groups sent with TTL 1 in one VLAN and joined in others only: (group, VLAN, members' VLANs, members)."""
    found = []
    for group in not_link_local(groups):
        if not group.packets or not group.joins:
            continue
        sent, members = group.vlans(), {item.vlan for item in group.joins}
        ttls = {int(ttl) for ttl in group.sources["ttl"]}
        if ttls == {1} and len(sent) == 1 and NO_VLAN not in (*sent, *members) and not members & set(sent):
            found.append((group, sent[0], sorted(members), group.members))
    watched = case.read.watched
    if found and watched is not None and watched.routed:
        yield Skipped("the capture holds packets before and after a router, so the lowest TTL is not the sender's")
        return
    yield from found
