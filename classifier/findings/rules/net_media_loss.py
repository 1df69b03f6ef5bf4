"""NET-MEDIA-LOSS: media streams of any other system lose packets, arrive unsteadily or stand still."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.media import SETTINGS, digifort_servers, is_digifort, judged
from classifier.findings.model import Finding, Rule, Skipped


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    servers = digifort_servers(case)
    yield from judged(case, setting, lambda row: not is_digifort(row, servers))


RULE = Rule(
    code="NET-MEDIA-LOSS",
    severity="warning",
    title="A media stream loses packets, arrives unsteadily or stands still",
    remedy="Find the part of the path that loses packets.",
    source="RFC 3550 (A.3 loss, A.8 jitter, 6.4 reports), ISO/IEC 13818-1 2.4.3.3 (counters); thresholds ours",
    check=check,
    needs=(needs.FOLLOWED, needs.STREAMS),
    settings=SETTINGS,
)
