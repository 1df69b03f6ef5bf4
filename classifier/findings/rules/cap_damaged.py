"""CAP-DAMAGED: a file could not be read to its end, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for info in case.read.captures:
        if info.complete:
            continue
        name = PurePath(str(info.path)).name
        first = next(iter(info.problems), None)
        where = f" First at record {first.record:,}, byte {first.offset:,}: {first.message}." if first else ""
        yield Finding(
            title=f"Not all of {name} was read",
            summary=(
                f"{counted(info.packets, 'packet')} could be read; {counted(info.problem_count, 'problem')}.{where} "
                "What was not read is missing here: sums are too low, and what is absent may have been there."
            ),
            first_record=0,
        )
    for error in case.read.unreadable:
        name = PurePath(str(getattr(error, "path", ""))).name
        yield Finding(
            title=f"{name or 'An input'} could not be read",
            summary=f"It is no part of this report: {getattr(error, 'message', error)}.",
        )


RULE = Rule(
    code="CAP-DAMAGED",
    severity="warning",
    title="A file could not be read to its end",
    remedy="Copy the file again (compare its size with the original), stop the capturing program before copying, and "
    "do not "
    "edit captures by hand.",
    source="ours; the formats: draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng",
    check=check,
)
