"""CAP-FILTER: the capturing program kept only what a filter let through."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule

MOST = 120


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    texts = {item.filter for info in case.read.captures for item in info.interfaces if item.filter.strip()}
    if not texts:
        return
    names = [f"“{text[:MOST]}{'…' if len(text) > MOST else ''}”" for text in sorted(texts)]
    yield Finding(
        title="The capture was made with a capture filter",
        summary=f"Filter: {listed(names)}. What it does not let through is not here, however much of it there was.",
    )


RULE = Rule(
    code="CAP-FILTER",
    severity="info",
    title="The capture was made with a capture filter",
    remedy="Capture without a filter, or with one that names hosts only (host A or host B), never ports.",
    source="pcapng (draft-ietf-opsawg-pcapng), 4.2: if_filter",
    check=check,
    needs=(needs.PACKETS,),
)
