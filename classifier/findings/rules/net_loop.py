"""NET-LOOP: packets run out of hops on the way: a routing loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import errors, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.rejections import EXPIRED

HOPS = 3
"""So many routers that answer about packets to one host are a traceroute's steps (ours)."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = errors.reported(case, EXPIRED)
    steps: dict[tuple[str, str], set[str]] = {}
    for item in found:
        steps.setdefault((item.source, item.target), set()).add(item.sender)
    for item in found:
        traced = len(steps[item.source, item.target]) >= HOPS or item.probes
        if traced or item.packets < setting("errors"):
            continue
        yield item.finding(
            case,
            f"Packets of {case.place(item.source)} to {item.target} run out of hops",
            ": routers on the way send them round in a circle, or they start with too few hops.",
        )


RULE = Rule(
    code="NET-LOOP",
    severity="warning",
    title="Packets run out of hops",
    remedy="Trace the route (tracert, traceroute) to the target: two routers that point at each other are the loop.",
    source="RFC 792 (time exceeded), RFC 1812 5.3.1; what is a traceroute and how many count is ours",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("errors", 5, "errors", "of one router about packets of one host to another, at least"),),
)
