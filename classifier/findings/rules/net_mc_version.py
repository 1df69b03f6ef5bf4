"""NET-MC-VERSION: queriers and members do not speak the same version of IGMP or MLD."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from classifier.evidence.collect import Membership
from classifier.findings import filters
from classifier.findings.case import Case, listed, sorted_addresses
from classifier.findings.groups import is_link_local
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.snooping import SECOND, SENDERS_COMPARED, family, general_queries, network
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    newer = _newer(case, setting)
    for (vlan, version, _), items in _by_network(case).items():
        protocol = "IGMP" if version == 4 else "MLD"
        spoken = Counter(item.version for item in items)
        hosts = _most(items)
        reporters = newer.pop((vlan, version), [])
        if len(spoken) > 1:
            said = [
                f"{counted(number, 'query', 'queries')} of {protocol}v{each}" for each, number in sorted(spoken.items())
            ]
            title = f"Queries of two {protocol} versions{network(vlan)}: {listed(hosts)}"
            words = f"{listed(said)} from {listed(hosts)}. Every older query takes all members back to that version."
        elif reporters and len(reporters) >= setting("reports"):
            names = _most(reporters)
            old, new = items[0].version, max(item.version for item in reporters)
            title = f"{protocol}v{new} reports although the querier asks in v{old}{network(vlan)}: {listed(names)}"
            words = (
                f"{counted(len(reporters), 'report')} from {listed(names)} after queries of {listed(hosts)}. A host "
                f"that hears a version {old} query answers in version {old}: either these queries do not reach it, or "
                f"it does not follow. A switch that knows version {old} only does not see such a member."
            )
        else:
            continue
        yield Finding(
            title=title,
            summary=words,
            first_record=items[0].record,
            selection=filters.of_queries(case, hosts),
        )


def _by_network(case: Case) -> dict[tuple[int, int, str], list[Membership]]:
    """General queries per VLAN, IP version and, in IPv4, the first three numbers of the querier's address: without tags
    a mirror of two networks looks like one."""
    out: dict[tuple[int, int, str], list[Membership]] = {}
    for (vlan, version), items in general_queries(case).items():
        for item in items:
            out.setdefault((vlan, version, item.host.rpartition(".")[0]), []).append(item)
    return out


def _most(items: list[Membership]) -> list[str]:
    """The hosts that said most of it, in order."""
    return sorted_addresses(host for host, _ in Counter(item.host for item in items).most_common(SENDERS_COMPARED))


def _newer(case: Case, setting: Callable[[str], float]) -> dict[tuple[int, int], list[Membership]]:
    """Reports of a newer version than the network's last general query, per (VLAN, IP version)."""
    asked: dict[tuple[int, int], tuple[int, int, int]] = {}  # version of the last, its time, since when this version
    out: dict[tuple[int, int], list[Membership]] = {}
    for item in sorted(case.read.memberships, key=lambda item: item.ts_ns):
        where = item.vlan, family(item.host)
        known = asked.get(where)
        if item.kind == "query":
            if not item.group:
                same = known is not None and known[0] == item.version
                asked[where] = item.version, item.ts_ns, known[2] if same and known else item.ts_ns
        elif known and item.version > known[0] and not is_link_local(item.group):
            fresh = item.ts_ns - known[1] <= setting("present") * SECOND
            if fresh and item.ts_ns - known[2] > setting("grace") * SECOND:
                out.setdefault(where, []).append(item)
    return out


RULE = Rule(
    code="NET-MC-VERSION",
    severity="info",
    title="Versions of IGMP or MLD that do not fit",
    remedy="Set the querier, the switches' snooping and, where possible, the devices to one version, best 3 (IGMP) or "
    "2 (MLD).",
    source="RFC 9776 sections 7.2 and 7.3, RFC 9777 section 8 (compatibility with older versions)",
    check=check,
    settings=(
        Setting("reports", 2, "reports", "of a newer version after an older query"),
        Setting("grace", 10, "s", "after the first query in which members may still speak the newer version"),
        Setting("present", 260, "s", "for which an older query holds members to its version (RFC 9776 8.12)"),
    ),
)
