"""CAP-DROPS: the capturing program says that it lost packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.units import counted, percent


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    dropped = case.vantage.dropped
    if dropped is None:
        yield Skipped("no file says how many packets were dropped while capturing (pcap has no place for it)")
        return
    received = sum(item.received or 0 for info in case.read.captures for item in info.interfaces)
    met = max(received, dropped + int(case.facts.totals["packets"]))  # more than is here when it was filtered or cut
    share = dropped / met
    if not dropped or share < setting("share"):
        return
    places = []
    for info in case.read.captures:
        stated = sum(item.dropped or 0 for item in info.interfaces)
        for number, item in enumerate(info.interfaces):
            if item.dropped:
                of = f" of {item.received:,} received" if item.received else ""
                places.append(f"{item.dropped:,} on {item.name or f'interface {number}'}{of}")
        if info.dropped > stated:
            places.append(f"{info.dropped - stated:,} noted between packets")
    yield Finding(
        title=f"The capturing program lost {counted(dropped, 'packet')}",
        summary=(
            f"{percent(share)} of what it met: {listed(places)}. Losses that this report finds, in TCP and in media "
            "streams, may be the capture's and not the network's; rates are too low."
        ),
        severity="warning" if share >= setting("warning") else "info",
    )


RULE = Rule(
    code="CAP-DROPS",
    severity="warning",
    title="The capturing program lost packets",
    remedy="Capture with a larger buffer (dumpcap -B 256, tcpdump -B 262144), write to a fast local disk, with "
    "tcpdump or "
    "dumpcap rather than a graphical program, and with a snapshot length of 256 bytes when payloads do not matter.",
    source="pcapng (draft-ietf-opsawg-pcapng), 4.6: isb_ifdrop and isb_osdrop, of the last statistics block of an "
    "interface, which counts from the start; 4.3: epb_dropcount, added up",
    check=check,
    needs=(needs.PACKETS,),
    settings=(
        Setting("share", 0.0, "share", "of the packets met, from which it is said"),
        Setting("warning", 0.0001, "share", "of the packets met, from which it is a warning"),
    ),
)
