"""NET-MC-NOADDRESS: the only querier has no address of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule
from classifier.findings.snooping import general_queries, network, no_address
from classifier.tables.addresses import mac_text
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for (vlan, _), items in general_queries(case).items():
        if not all(no_address(item.host) for item in items):
            continue
        macs = sorted({mac_text(item.mac) for item in items if item.mac})
        yield Finding(
            title=f"The multicast querier{network(vlan)} has no address: queries come from {items[0].host}",
            summary=(
                f"{counted(len(items), 'general query', 'general queries')}, the first at "
                f"{case.at(items[0].ts_ns)}{', from MAC address ' + ' and '.join(macs[:3]) if macs else ''}; none "
                "from a querier with an address. Hosts answer them, but some switches do not take their sender for a "
                "querier and send no reports to it."
            ),
            first_record=items[0].record,
            selection=filters.of_queries(case, [items[0].host]),
        )


RULE = Rule(
    code="NET-MC-NOADDRESS",
    severity="info",
    title="The multicast querier has no address",
    remedy="Give the switch that asks an IP address in this network, or let a router or another switch be the querier.",
    source="RFC 4541 section 2.1.1: queries of a snooping switch without an address have the source 0.0.0.0",
    check=check,
)
