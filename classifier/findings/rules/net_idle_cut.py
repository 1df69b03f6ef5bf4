"""NET-IDLE-CUT: connections that are dead after a long silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import needs
from classifier.findings.case import SECOND, Case, listed
from classifier.findings.idle import IDLE_NS, IdleCuts, idle_cuts
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.services import MOST, service, service_order
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    cuts = idle_cuts(case, int(setting("silence") * SECOND))
    if not len(cuts.flow):
        return
    pairs, at = np.unique(case.attempts.pair_of[cuts.flow], return_inverse=True)
    order, group, important = service_order(case, pairs, np.bincount(at))
    for k in order[:MOST].tolist():
        yield _finding(case, cuts, np.flatnonzero(group[at] == k), pairs[group == k], bool(important[k]))


def _finding(case: Case, cuts: IdleCuts, which: np.ndarray, pairs: np.ndarray, important: bool) -> Finding:
    item = service(case, pairs, 0, important)
    rows = cuts.flow[which]
    silence = cuts.silence_ns[which]
    by_rst = int(cuts.reset[which].sum())
    first_at = int(np.argmin(cuts.start_ns[which]))
    begin, length = int(cuts.start_ns[which][first_at]), int(silence[first_at])
    speakers = np.where(cuts.by_orig[which], case.addresses.orig[rows], case.addresses.resp[rows])
    spoke = listed(case.addresses.texts(distinct(speakers)).tolist())
    said = []
    if by_rst:
        said.append(f"{by_rst:,} answered by RST")
    if by_rst < len(rows):
        said.append(f"{len(rows) - by_rst:,} without any answer")
    longest = f" to {span(int(silence.max()))}" if len(rows) > 1 and silence.max() != silence.min() else ""
    return item.finding(
        case,
        rows,
        title=f"Connections of {item.who(case)} to {case.place(item.server)}, {item.name}, are dead after a silence",
        summary=(
            f"{counted(len(rows), 'connection')} silent for {span(int(silence.min()))}{longest}; then {spoke} sent "
            f"something: {' and '.join(said)}. The first was silent from {case.at(begin)} to {case.at(begin + length)}."
        ),
    )


RULE = Rule(
    code="NET-IDLE-CUT",
    severity="warning",
    title="Connections that are dead after a silence",
    remedy=(
        "A firewall, NAT or load balancer between the two forgets idle connections: raise its timeout for this port, "
        "or have the program send keep-alives more often than that."
    ),
    source="RFC 5382 5 (a NAT must keep idle connections for 2 h 4 min, many do not); how it is told is ours",
    check=check,
    needs=(needs.FOLLOWED,),
    settings=(Setting("silence", IDLE_NS / SECOND, "s", "without any packet, before the connection turned out dead"),),
)
