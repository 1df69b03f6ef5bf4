"""NET-ZERO-WINDOW: a receiver takes no more data for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import needs
from classifier.findings.carried import UP, Carried, finding
from classifier.findings.case import SECOND, Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.services import touches_product
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    sums = case.carried
    full = (sums.zero_ns > setting("seconds") * SECOND) & (sums.zeros >= 1)
    place, side = np.nonzero(full & (sums.payload[:, ::-1] >= setting("bytes")))
    if not len(place):
        return
    important = touches_product(case, sums.pair[place])
    for k in np.lexsort((-sums.zero_ns[place, side], ~important)).tolist():
        yield _finding(case, sums, int(place[k]), int(side[k]), bool(important[k]))


def _finding(case: Case, sums: Carried, place: int, side: int, important: bool) -> Finding:
    pair = case.attempts.pair(int(sums.pair[place]))
    slow, sender = (pair.client, pair.server) if side == UP else (pair.server, pair.client)
    tcp, here = case.read.tcp, sums.place == place
    rows, flows, turned = sums.row[here], sums.flow[here], sums.turned[here]
    by_orig = turned != (side == UP)
    zero = np.where(by_orig, tcp.orig["zero_window_ns"][rows], tcp.resp["zero_window_ns"][rows])
    order = np.argsort(-zero, kind="stable")
    return finding(
        case,
        place,
        flows[order][zero[order] > 0],
        title=f"{case.place(slow)} cannot keep up with what {sender} sends",
        summary=(
            f"in {counted(int((zero > 0).sum()), 'connection')} it closed its window "
            f"{counted(int(sums.zeros[place, side]), 'time')}, for {span(int(sums.zero_ns[place, side]))} in all; "
            f"meanwhile {sender} had to wait. This is the program or the computer at {slow}, not the network."
        ),
        remedy=f"Look at the load of {slow}: processor, disk, number of streams shown at a time, a program that hangs.",
        important=important,
    )


RULE = Rule(
    code="NET-ZERO-WINDOW",
    severity="warning",
    title="A receiver takes no more data for a while",
    remedy=(
        "Look at the load of the receiver: processor, disk, number of streams shown at a time, a program that hangs."
    ),
    source="RFC 9293 3.8.6 (managing the window); the limit is ours",
    check=check,
    needs=(needs.FOLLOWED, needs.TCP_DATA),
    settings=(
        Setting("seconds", 1, "s", "with a closed window, of one pair of hosts and service in all"),
        Setting("bytes", 10_000, "bytes", "sent to it there, at least"),
    ),
)
