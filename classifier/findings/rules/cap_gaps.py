"""CAP-GAPS: many media streams lose packets at the same instants, which points to the capture."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.units import counted

TIMES = 3


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    losses = case.facts.losses
    if losses is None:
        yield Skipped("the capture has so many streams over so long that their losses have no exact time")
        return
    shared = int(losses.with_others.sum())
    if losses.moments < setting("instants") or not losses.moments:
        return
    held = losses.together
    streams = distinct(losses.stream[held])
    times = distinct(losses.bin_ns[held])
    starts = times[np.concatenate(([True], np.diff(times) > case.read.streams.bin_width_ns))]
    flows = case.facts.flow_of_row[case.read.streams.rows["where"][streams] >> 1]
    flows = distinct(flows[flows >= 0])
    yield Finding(
        title=f"Many media streams lose packets together, at {counted(losses.moments, 'instant')}",
        summary=(
            f"{counted(shared, 'packet')} of {counted(len(streams), 'stream')} are missing at the same time as those "
            "of "
            f"others, from several senders: at {listed([case.at(int(t)) for t in starts[:TIMES]])}"
            f"{f' and {len(starts) - TIMES:,} more times' if len(starts) > TIMES else ''}. Most likely the capture or "
            "the "
            "mirror port lost them; it can also be a link that all of these streams share."
        ),
        flow_ids=flows.tolist(),
        first_record=case.first_record(flows),
    )


RULE = Rule(
    code="CAP-GAPS",
    severity="warning",
    title="Many media streams lose packets at the same instant",
    remedy="Look at the load of the mirror port and of the capturing computer at these times, then at the link that "
    "these "
    "streams share. Compare with the receivers' own counters before blaming cameras.",
    source="ours; losses by RFC 3550, A.3",
    check=check,
    needs=(needs.FOLLOWED, needs.STREAMS),
    settings=(Setting("instants", 1, "instants", "at which many streams lose packets, from which it is said"),),
)
