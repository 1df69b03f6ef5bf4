"""CAP-TUNNEL: the capture came through a mirror's tunnel, whose headers are no traffic of the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.columns import ENCAPSULATIONS, encapsulation_name
from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule, Setting
from classifier.units import counted, percent, size

MIRRORS = {ENCAPSULATIONS.index("erspan"): "ERSPAN", ENCAPSULATIONS.index("tzsp"): "TZSP"}
ETHERNET = 14


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    flows = case.flows
    kinds = distinct(flows.encap)
    layers = {int(kind): set(_codes(int(kind))) & set(MIRRORS) for kind in kinds}
    mirrored = np.isin(flows.encap, [kind for kind, found in layers.items() if found])
    packets = int(flows.packets[mirrored].sum())
    there = int(case.facts.totals["packets"])
    if not packets or packets < setting("share") * there:
        return
    wire = int(flows.wire[mirrored].sum())
    inside = int((flows.orig_ip + flows.resp_ip)[mirrored].sum()) + ETHERNET * packets
    overhead = max(wire - inside, 0)
    names = sorted({MIRRORS[code] for found in layers.values() for code in found})
    stacks = sorted({encapsulation_name(kind) for kind, found in layers.items() if found})
    yield Finding(
        title=f"{percent(packets / there)} of the packets came through a mirror's tunnel ({listed(names)})",
        summary=(
            f"{counted(packets, 'packet')} in {listed(stacks)}. The tunnel's headers are {size(overhead)}, "
            f"{percent(overhead / wire if wire else 0)} of these packets' bytes; they count in the sums of this "
            "report and are no traffic of the site."
        ),
        flow_ids=np.flatnonzero(mirrored)[:FLOWS_OF_A_FINDING].tolist(),
        first_record=case.first_record(np.flatnonzero(mirrored)[:100_000]),
    )


def _codes(encap: int) -> Iterator[int]:
    while encap:
        yield encap & 31
        encap >>= 5


RULE = Rule(
    code="CAP-TUNNEL",
    severity="info",
    title="The capture came through a mirror's tunnel",
    remedy="Nothing to repair. Take the tunnel's share off when comparing rates with a switch's counters.",
    source="draft-foschiano-erspan; TZSP as Wireshark describes it; the share is ours",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("share", 0.01, "share", "of the packets in such a tunnel, from which it is said"),),
)
