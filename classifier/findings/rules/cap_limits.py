"""CAP-LIMITS: the capture holds more than this program keeps in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    reached = [item.message for item in case.facts.problems if item.code.endswith("_cap")]
    reached += [
        item.message for info in case.read.captures for item in info.problems if item.code == "limit" and item.message
    ]
    if not reached:
        return
    yield Finding(
        title="The capture holds more than is kept in memory: parts are coarser",
        summary=f"{'. '.join(text[0].upper() + text[1:] for text in reached[:5])}. Sums of packets and bytes are "
        "exact.",
    )


RULE = Rule(
    code="CAP-LIMITS",
    severity="info",
    title="A bound of this program was reached",
    remedy="Read a shorter part of the capture (editcap -A and -B cut by time), or raise --max-flows when it is the "
    "flows.",
    source="ours; all bounds are in docs/robustness.md",
    check=check,
)
