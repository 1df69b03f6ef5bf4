"""CAP-PAUSE: for a long time nothing was captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.flows.copies import GAP, GAP_NS
from classifier.units import counted, span

NAMED = 3


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seen = case.read.watched
    assert seen is not None
    least = max(setting("seconds") * 1e9, GAP_NS)
    pauses = [row for row in seen.events.tolist() if row[4] == GAP and row[1] - row[0] > least]
    if not pauses:
        return
    total = sum(row[1] - row[0] for row in pauses)
    longest = sorted(pauses, key=lambda row: row[0] - row[1])
    said = [f"{span(row[1] - row[0])} from {case.at(row[0])}" for row in longest[:NAMED]]
    more = " or more" if seen.event_count > len(seen.events) else ""
    together = f", {span(total)} in all" if len(pauses) > 1 else ""
    between = [row for row in pauses if row[2] == 1 and len(case.read.captures) > 1]
    files = f" {counted(len(between), 'pause is', 'pauses are')} between two files: is one missing?" if between else ""
    yield Finding(
        title=f"Nothing was captured for {span(longest[0][1] - longest[0][0])}",
        summary=(
            f"{counted(len(pauses), 'pause')}{more} without any packet{together}: "
            f"{listed(said, most=NAMED)}"
            f"{f' and {len(pauses) - NAMED:,} more' if len(pauses) > NAMED else ''}.{files} Mean rates are over the "
            "whole time, pauses included; what happened meanwhile is unknown."
        ),
        first_record=longest[0][2],
    )


RULE = Rule(
    code="CAP-PAUSE",
    severity="info",
    title="For a long time nothing was captured",
    remedy="See whether the capturing computer slept, the link was down, or a file of a series is missing. Network "
    "without any "
    "packet for a minute is rare: switches alone send something every few seconds.",
    source="ours; times as the file has them",
    check=check,
    needs=(needs.PACKETS, needs.WATCHED),
    settings=(Setting("seconds", 60, "s", "without any packet, from which it is said (10 at least)"),),
)
