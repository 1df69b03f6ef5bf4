"""Words that explanations share: times, records, safe lines.

In: numbers and texts. Out: text. Next: the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from classifier.render.escape import printable
from classifier.tables.facts import Facts
from classifier.units import moment


def utc(time_ns: int) -> str:
    """A time as text, to the microsecond: `2024-05-03 08:13:20.000000 UTC`."""
    return f"{moment(time_ns, digits=6)} UTC"


def shown_by(facts: Facts, source: Any) -> str:
    """` [record 12 of site.pcap, 2024-... UTC]` of a proof, a learned endpoint or a reason; empty without a record.

    A learned endpoint has `first_ns`, the others `ts_ns`.
    """
    if source is None or not source.record:
        return ""
    time_ns = source.first_ns if hasattr(source, "first_ns") else source.ts_ns
    return f" [record {source.record} of {facts.read.captures[source.capture].path}, {utc(time_ns)}]"


def safe(lines: Iterable[str]) -> str:
    """Lines joined by line feeds. Names come from outside: nothing that a terminal would obey, one line each."""
    return "\n".join(map(printable, lines))
