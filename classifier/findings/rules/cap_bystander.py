"""CAP-BYSTANDER: the capture holds only broadcast and multicast, nothing that hosts say to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.findings.vantage import BYSTANDER
from classifier.units import span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    view = case.vantage
    if view.place != BYSTANDER:
        return
    if case.seconds < setting("seconds"):
        yield Skipped(f"the capture is shorter than {setting('seconds'):g} s")
        return
    yield Finding(
        title="The capture holds only broadcast and multicast, no conversation of hosts",
        summary=(
            f"In {span(case.duration_ns)}: {view.reasons[0]}. A switch sends to an ordinary port only what is meant "
            "for it. So nothing can be said of TCP connections, of unicast video, of blocked ports; of multicast only "
            "what this port gets."
        ),
    )


RULE = Rule(
    code="CAP-BYSTANDER",
    severity="warning",
    title="The capture was taken where conversations of others do not pass",
    remedy="Capture on the server or the client itself, or let the switch mirror the server's port (SPAN, port "
    "mirroring) to "
    "the port of the capturing computer.",
    source="ours; what a switch forwards to a port: IEEE 802.1D, 7.7",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("seconds", 5, "s", "that a capture must last: a shorter one may just have met nothing"),),
)
