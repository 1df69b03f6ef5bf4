"""CAP-CLOCK: times in a file go back."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.flows.copies import STEP, STEP_NS
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seen = case.read.watched
    assert seen is not None
    least = max(setting("seconds") * 1e9, STEP_NS)
    steps = [row for row in seen.events.tolist() if row[4] == STEP and row[0] - row[1] > least]
    if not steps:
        return
    before, after, record, _, _ = max(steps, key=lambda row: row[0] - row[1])
    files = {row[3] for row in steps}
    mixed = [case.read.captures[number] for number in files if len(case.read.captures[number].interfaces) > 1]
    cause = (
        "The file has several interfaces: their clocks differ, or it was put together from files without sorting."
        if mixed
        else "The clock was set while capturing, or the file was put together from others without sorting."
    )
    more = " or more" if seen.event_count > len(seen.events) else ""
    where = f" in {counted(len(files), 'file')}" if len(case.read.captures) > 1 else ""
    times = "once" if len(steps) == 1 else counted(len(steps), "time")
    yield Finding(
        title=f"Time goes back {times}{more}, by up to {span(before - after)}",
        summary=(
            f"{counted(len(steps), 'step')}{more} back{where}; the largest at record {record:,}, from "
            f"{case.at(before)} to "
            f"{case.at(after)}. {cause} Durations, rates and losses around these records are not reliable."
        ),
        first_record=steps[0][2],
        selection=filters.of_records(case, [(row[3], row[2]) for row in steps]),
    )


RULE = Rule(
    code="CAP-CLOCK",
    severity="warning",
    title="Times in a file go back",
    remedy="Let the capturing computer keep time by NTP without steps before the capture begins; put files of several "
    "interfaces together with mergecap, which sorts; reorder a file with reordercap IN OUT.",
    source="ours; times as the file has them",
    check=check,
    needs=(needs.PACKETS, needs.WATCHED),
    settings=(
        Setting("seconds", 1, "s", "that a time must be earlier than the one before it in its file (0.1 at least)"),
    ),
)
