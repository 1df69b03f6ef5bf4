"""NET-MC-QUERIERS: two queriers ask in one network, persistently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from classifier.evidence.collect import Membership
from classifier.findings import filters
from classifier.findings.case import Case, listed, sorted_addresses
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.snooping import SECOND, SENDERS_COMPARED, general_queries, network, no_address
from classifier.flows.table import address_words
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for (vlan, _), items in general_queries(case).items():
        count = Counter(item.host for item in items if not no_address(item.host))
        hosts = [host for host, number in count.most_common(SENDERS_COMPARED) if number >= setting("queries")]
        if len(hosts) > 1:
            yield from _elections(case, vlan, [item for item in items if item.host in hosts], count, setting)


def _elections(
    case: Case, vlan: int, items: list[Membership], count: Counter[str], setting: Callable[[str], float]
) -> Iterator[Finding]:
    final = {item.host: item.ts_ns for item in items}
    first: dict[str, int] = {}
    last: dict[str, Membership] = {}
    too_many: Counter[str] = Counter()  # queries of hosts that a lower address should have silenced, and that go on
    for item in items:
        for other, heard in last.items():
            lower = address_words(other) < address_words(item.host) and (not item.mac or heard.mac != item.mac)
            known = first[other] + setting("grace") * SECOND < item.ts_ns < final[other]
            if lower and known and item.ts_ns - heard.ts_ns <= _silenced_ns(heard, setting("present")):
                too_many[item.host] += 1
                break
        first.setdefault(item.host, item.ts_ns)
        last[item.host] = item
    stubborn = [host for host, number in too_many.items() if number >= setting("queries")]
    if not stubborn:
        return
    lowest = sorted_addresses(first)[0]
    hosts = sorted_addresses({lowest, *stubborn})
    apart = ":" not in lowest and any(host.rpartition(".")[0] != lowest.rpartition(".")[0] for host in hosts)
    note = (
        " Their addresses are of different networks: perhaps two networks whose frames carry no VLAN tag here, then "
        "nothing is wrong."
        if apart
        else ""
    )
    said = [f"{host} asked {counted(count[host], 'time')}" for host in hosts]
    yield Finding(
        title=f"{len(hosts)} multicast queriers{network(vlan)}: {listed(hosts)}",
        summary=(
            f"{listed(said)}. The lowest address, {lowest}, is the querier; the others must be silent while it asks, "
            f"but {listed(stubborn)} went on asking. Either they do not hear each other, or one does not follow the "
            f"election. Switches may then send reports and media to the wrong port.{note}"
        ),
        first_record=min(items, key=lambda item: item.ts_ns).record,
        selection=filters.of_queries(case, hosts),
        severity="info" if apart else "warning",
    )


def _silenced_ns(query: Membership, present: float) -> int:
    """How long a query silences higher addresses: by its own timers where it names them (RFC 9776 8.5)."""
    timers = query.timers
    if not timers.interval_s:
        return int(present * SECOND)
    return (timers.robustness or 2) * timers.interval_s * SECOND + timers.response_ms * 500_000


RULE = Rule(
    code="NET-MC-QUERIERS",
    severity="warning",
    title="Two multicast queriers in one network",
    remedy=(
        "Leave one querier on for this network, and look for what separates the two: a switch that blocks or filters "
        "IGMP queries between them, or two networks joined by accident."
    ),
    source="RFC 9776 section 6.6.2 and RFC 2236 section 3 (the lowest address becomes the querier, 255 s)",
    check=check,
    settings=(
        Setting("queries", 2, "queries", "that a host must have sent although a lower address asks"),
        Setting(
            "present", 255, "s", "that a query silences higher addresses, when it does not say so itself (RFC 9776 8.5)"
        ),
        Setting("grace", 10, "s", "after the first query of the lower address in which others may still ask"),
    ),
)
