"""CAP-COPIES: a mirror put packets into the capture twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.flows.copies import WINDOW, WINDOW_NS
from classifier.flows.watch import Watched
from classifier.units import counted, exact_span, percent, rate


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seen = case.read.watched
    assert seen is not None
    if not seen.copies or seen.copies < max(setting("copies"), setting("share") * seen.judged):
        return
    wire = int(case.facts.totals["wire_bytes"])
    seconds = case.facts.seconds
    before, after = rate(wire * 8 / seconds), rate((wire - seen.copied_wire) * 8 / seconds)
    yield Finding(
        title=f"{percent(seen.copies / seen.packets)} of the packets are copies that a mirror made",
        summary=(
            f"{counted(seen.copies, 'packet')} of {seen.packets:,}: {_kinds(seen)}, each within {WINDOW} packets and "
            f"{exact_span(WINDOW_NS)} of the first. The mean rate is {before} with them and {after} without. Sums and "
            "rates of this report include them; losses and retransmissions do not."
        ),
        first_record=seen.first_copy[1],
        remedy=_remedy(seen),
    )


def _kinds(seen: Watched) -> str:
    kinds = []
    if seen.exact:
        text = f"{seen.exact:,} exact"
        if seen.relinked:
            text += f" ({seen.relinked:,} of them with another VLAN, tunnel or MAC address)"
        kinds.append(text)
    if seen.routed:
        kinds.append(f"{seen.routed:,} from before and after a router (another TTL)")
    said = " and ".join(kinds)
    return f"{said}; {counted(seen.across, 'copy', 'copies')} in another file" if seen.across else said


def _remedy(seen: Watched) -> str:
    if seen.across * 2 > seen.copies:
        return "The files hold the same traffic: read one of them, or those that were taken at different places."
    if seen.routed > seen.exact:
        return (
            "The mirror shows packets before and after a router. Mirror only one of the VLANs, or only the port of the "
            "server. editcap -d does not remove these copies, because TTL and addresses differ."
        )
    return (
        "Mirror only one direction per port when several ports of one switch are mirrored, or only the server's port. "
        "To remove exact copies from this file: editcap -d IN OUT."
    )


RULE = Rule(
    code="CAP-COPIES",
    severity="warning",
    title="A mirror made copies of packets",
    remedy="Mirror every packet once: one direction of several ports, or both directions of one port.",
    source="ours; equal IP header but for TTL, checksum and type of service, equal transport header and payload "
    "beginning; a "
    "TCP segment that is sent again has a new IP identification (RFC 6864, 4)",
    check=check,
    needs=(needs.PACKETS, needs.WATCHED),
    settings=(
        Setting("share", 0.01, "share", "of the packets that could be judged, from which it is said"),
        Setting("copies", 5, "packets", "from which it is said"),
    ),
)
