"""NET-RETRANSMIT: much of what TCP carries has to be sent again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import needs
from classifier.findings.carried import UP, Carried, copied, finding
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.services import touches_product
from classifier.units import counted, percent, size


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    sums = case.carried
    share = sums.again / np.maximum(sums.payload, 1)
    place, side = np.nonzero((share > setting("share")) & (sums.segments >= setting("segments")))
    if not len(place):
        return
    important = touches_product(case, sums.pair[place])
    for k in np.lexsort((-sums.again[place, side], ~important)).tolist():
        yield _finding(case, sums, int(place[k]), int(side[k]), bool(important[k]))


def _finding(case: Case, sums: Carried, place: int, side: int, important: bool) -> Finding:
    pair = case.attempts.pair(int(sums.pair[place]))
    sender, receiver = (pair.client, pair.server) if side == UP else (pair.server, pair.client)
    again, payload, segments = (int(part[place, side]) for part in (sums.again, sums.payload, sums.segments))
    gaps = int(sums.gaps[place, side])
    if 2 * gaps >= segments:
        where = "Most of them are missing here as well: they get lost between the sender and this point."
    elif 10 * gaps <= segments:
        where = "Their first copies are here: they get lost behind this point, or the answers to them do."
    else:
        where = "Some were lost before this point, some behind it."
    flows = sums.flow[sums.place == place]
    tcp, rows = case.read.tcp, sums.row[sums.place == place]
    worst = np.argsort(-(tcp.orig["retransmitted"][rows] + tcp.resp["retransmitted"][rows]), kind="stable")
    note = ""
    if copied(case) and not sums.copies[place, side]:
        note = " The capture holds copies of packets (CAP-COPIES): some of these may be copies too."
    return finding(
        case,
        place,
        flows[worst],
        title=f"{percent(again / payload)} of what {case.place(sender)} sends to {receiver} is sent again",
        summary=(
            f"{counted(segments, 'segment')}, {size(again)} of {size(payload)}, in "
            f"{counted(int((sums.place == place).sum()), 'connection')}. {where}{note}"
        ),
        important=important,
    )


RULE = Rule(
    code="NET-RETRANSMIT",
    severity="warning",
    title="Much of what TCP carries has to be sent again",
    remedy=(
        "Look for what loses packets between the two: duplex mismatch and error counters of switch ports, a link "
        "that is full at peaks, wireless, a VPN; then at the receiver's load."
    ),
    source="retransmissions as Wireshark's TCP analysis counts them; the limit is ours",
    check=check,
    needs=(needs.FOLLOWED, needs.TCP_DATA),
    settings=(
        Setting("share", 0.02, "share", "of the bytes of one direction that may be sent again"),
        Setting("segments", 20, "segments", "that were sent again, at least"),
    ),
)
