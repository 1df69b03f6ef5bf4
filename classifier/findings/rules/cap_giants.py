"""CAP-GIANTS: packets are larger than the network carries: the capturing host joins them, or cuts them later."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.flows.copies import JUMBO, MTU
from classifier.tables.addresses import mac_text
from classifier.units import counted, percent


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    seen = case.read.watched
    assert seen is not None
    if seen.giants < setting("packets") or seen.giants < setting("share") * seen.packets:
        return
    many = f"{percent(seen.giants / seen.packets)} of the packets"
    who = f", all of them from or to {mac_text(seen.giant_macs[0])}" if len(seen.giant_macs) == 1 else ""
    if case.vantage.loopback:
        title = f"{many} are larger than a network carries: captured on a host's loopback interface"
        cause = "No network was involved."
    elif seen.beyond_jumbo:
        title = f"{many} are too large for a network: captured with offload"
        cause = (
            f"{seen.beyond_jumbo:,} are larger than any jumbo frame{who}. The network card cuts and joins segments, "
            "the capture is made before and after that."
        )
    else:
        title = f"{many} are larger than {MTU:,} bytes: offload or jumbo frames"
        cause = f"None is beyond {JUMBO:,} bytes, so it may be jumbo frames, or offload on the host that captured."
    yield Finding(
        title=title,
        summary=(
            f"{counted(seen.giants, 'packet')}, the largest of {seen.largest:,} bytes, stand for about "
            f"{seen.giant_segments:,} segments of usual size. {cause} Bytes and rates are right but for the missing "
            "headers; numbers of packets, their sizes and counts of segments sent again are not those of the network. "
            "Wrong checksums of sent packets have the same cause and are no fault."
        ),
    )


RULE = Rule(
    code="CAP-GIANTS",
    severity="info",
    title="Packets are larger than the network carries",
    remedy="Nothing to repair. To see packets as on the wire, capture on a mirror port, or switch offload off while "
    "capturing (Linux: ethtool -K eth0 tso off gso off gro off; Windows: Large Send Offload of the card).",
    source="IEEE 802.3: 1500 bytes of payload; 9216 bytes, what switches carry as jumbo frame, is usual, no standard",
    check=check,
    needs=(needs.PACKETS, needs.WATCHED),
    settings=(
        Setting("share", 0.001, "share", "of the packets, from which it is said"),
        Setting("packets", 3, "packets", "larger than 1500 bytes, from which it is said"),
    ),
)
