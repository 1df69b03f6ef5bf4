"""DGF-MEDIA-LOSS: a camera's stream to a Digifort server, or the server's to its clients, loses packets or stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.media import SETTINGS, digifort_servers, is_digifort, judged
from classifier.findings.model import Finding, Rule, Skipped


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    servers = digifort_servers(case)
    yield from judged(case, setting, lambda row: is_digifort(row, servers))


RULE = Rule(
    code="DGF-MEDIA-LOSS",
    severity="warning",
    title="Video of a Digifort system loses packets, arrives unsteadily or stands still",
    remedy="Find the part of the path that loses packets; a camera that can deliver by TCP gets over small losses.",
    source='Digifort Ports and Addresses, 3.4: "Some cameras uses UDP protocol instead of TCP Protocol in order to '
    'deliver media data"; loss and jitter by RFC 3550 A.3 and A.8, reports 6.4; thresholds ours',
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.STREAMS),
    settings=SETTINGS,
)
