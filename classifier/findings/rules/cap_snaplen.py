"""CAP-SNAPLEN: the capture holds only the beginning of many packets."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import percent, size


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    totals = case.facts.totals
    missing = totals["wire_bytes"] - totals["captured_bytes"]
    if missing <= setting("share") * totals["wire_bytes"]:
        return
    lengths = sorted({item.snaplen for info in case.read.captures for item in info.interfaces if item.snaplen})
    limit = f" The capture's limit is {lengths[0]:,} bytes a packet." if lengths and lengths[0] < 65_535 else ""
    yield Finding(
        title=f"{percent(missing / totals['wire_bytes'])} of the bytes were not captured",
        summary=(
            f"{size(missing)} of {size(totals['wire_bytes'])} lie beyond the snapshot length.{limit} Rates are right, "
            "they count lengths on the wire; what payloads would show is partly unknown, so components may be "
            "less sure than they could be."
        ),
    )


RULE = Rule(
    code="CAP-SNAPLEN",
    severity="info",
    title="Packets are cut by the snapshot length",
    remedy="To see payloads, capture whole packets (tcpdump -s 0; Wireshark: no limit on the packet length).",
    source="ours; the lengths are the record headers' (pcap: incl_len, orig_len; pcapng: captured and original length)",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("share", 0.01, "share", "of the bytes on the wire that may be missing"),),
)
