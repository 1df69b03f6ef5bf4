"""Components and protocols: who owns the packets.

In: `Facts`. Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

import numpy as np

from classifier.columns import LINK_PROTO
from classifier.decode.protocols import protocol_name
from classifier.tables.facts import Columns, Facts, bps, highest, lowest, product_rank, share, sums
from classifier.tables.transport import retransmitted_shares

GRADE_NAMES = ("confirmed", "probable")
GRADE_MEASURES = ("flows", "packets", "wire_bytes")


def components(facts: Facts) -> Columns:
    """One row per component that owns a packet; packets, wire bytes and flows sum to the totals."""
    flows, links, labels = facts.read.flows, facts.read.links, facts.labels
    size = len(labels.components)
    owner = np.concatenate([labels.component, labels.link_component]).astype("i8")
    packets = sums(owner, np.concatenate([flows.packets, links.packets]), size)
    wire = sums(owner, np.concatenate([flows.wire, links.wire]), size)
    count = np.bincount(labels.component, minlength=size)
    first = lowest(owner, np.concatenate([flows.first_ns, links.first_ns]), size)
    last = highest(owner, np.concatenate([flows.last_ns, links.last_ns]), size)
    by_grade = {}
    for number, grade in enumerate(("probable", "confirmed"), 1):
        chosen = labels.grade == number
        of = labels.component[chosen].astype("i8")
        by_grade[grade] = {
            "flows": np.bincount(of, minlength=size),
            "packets": sums(of, flows.packets[chosen], size),
            "wire_bytes": sums(of, flows.wire[chosen], size),
        }
    product = {i: facts.product(i) for i in np.flatnonzero(packets).tolist()}
    order = sorted(product, key=lambda i: (product_rank(product[i]), -int(wire[i]), labels.components[i]))
    rates = [facts.rates.peak_and_p95(i) for i in order]
    bursts = [facts.rates.peak(i, facts.rates.burst_width_ns).bps for i in order]
    whens = [facts.rates.peak(i, facts.rates.rate_width_ns).start_ns for i in order]
    again = retransmitted_shares(facts)
    return {
        "id": [labels.components[i] for i in order],
        "product": [product[i] for i in order],
        "name": [facts.signatures.name_of(labels.components[i]) for i in order],
        "packets": packets[order],
        "wire_bytes": wire[order],
        "flows": count[order],
        "share": [share(int(wire[i]), facts.totals["wire_bytes"]) for i in order],
        "mean_bps": [bps(int(wire[i]), facts.seconds) for i in order],
        "peak_bps": [round(peak, 3) for peak, _ in rates],
        "p95_bps": [round(p95, 3) for _, p95 in rates],
        "first_ns": first[order],
        "last_ns": last[order],
        "grades": [
            {grade: {m: int(by_grade[grade][m][i]) for m in GRADE_MEASURES} for grade in GRADE_NAMES} for i in order
        ],
        "peak_100ms_bps": [round(burst, 3) for burst in bursts],
        "peak_ns": whens,
        "retransmitted_share": [again[i] for i in order],
    }


def protocols(facts: Facts) -> Columns:
    """One row per protocol, most bytes first."""
    flows, links = facts.read.flows, facts.read.links
    numbers, at = np.unique(flows.proto, return_inverse=True)
    found: dict[str, list[int]] = {}

    def add(name: str, packets: int, wire: int, count: int) -> None:
        row = found.setdefault(name, [0, 0, 0])
        row[0] += packets
        row[1] += wire
        row[2] += count

    packets, wire = sums(at, flows.packets, len(numbers)), sums(at, flows.wire, len(numbers))
    count = np.bincount(at, minlength=len(numbers))
    for i, number in enumerate(numbers.tolist()):
        add(protocol_name(number), int(packets[i]), int(wire[i]), int(count[i]))
    for code, n, size in zip(links.code.tolist(), links.packets.tolist(), links.wire.tolist(), strict=True):
        add(protocol_name(LINK_PROTO + code), n, size, 0)
    rows = sorted(found.items(), key=lambda item: (-item[1][1], item[0]))
    return {
        "protocol": [name for name, _ in rows],
        "packets": [v[0] for _, v in rows],
        "wire_bytes": [v[1] for _, v in rows],
        "flows": [v[2] for _, v in rows],
        "share": [share(v[1], facts.totals["wire_bytes"]) for _, v in rows],
    }
