"""What no component owns, by responder endpoint, with what little is known of it.

In: `Facts`. Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.arrays import distinct
from classifier.columns import LINK_PROTO
from classifier.decode.protocols import protocol_name
from classifier.flows.table import FAILED_TCP_STATES, TCP_STATES
from classifier.tables.facts import Array, Columns, Facts, share, sums

UNCLASSIFIED_TOP = 20


def unclassified(facts: Facts) -> Columns:
    """What no component owns, by responder endpoint, most bytes first; `UNCLASSIFIED_TOP` rows."""
    flows, links, labels = facts.read.flows, facts.read.links, facts.labels
    nobody = np.array([facts.product(i) == "unclassified" for i in range(len(labels.components))], bool)
    chosen = np.flatnonzero(nobody[labels.component])
    # protocol number < 256, port < 65536: both fit under the address number
    key = facts.addresses.resp[chosen] << 24 | flows.proto[chosen].astype("i8") << 16 | flows.resp_port[chosen]
    keys, at = np.unique(key, return_inverse=True)
    packets, wire = sums(at, flows.packets[chosen], len(keys)), sums(at, flows.wire[chosen], len(keys))
    count = np.bincount(at, minlength=len(keys))
    rows: list[tuple[Any, ...]] = []
    for k in np.lexsort((keys, -wire))[:UNCLASSIFIED_TOP].tolist():
        number = int(keys[k])
        rows.append(
            (
                protocol_name(number >> 16 & 255),
                facts.addresses.text(number >> 24),
                number & 0xFFFF,
                int(packets[k]),
                int(wire[k]),
                int(count[k]),
                _hint(facts, chosen[at == k]),
            )
        )
    there_are = len(keys)
    for i in np.flatnonzero(nobody[labels.link_component]).tolist():
        there_are += 1
        name = protocol_name(LINK_PROTO + int(links.code[i]))
        hint = "frames that could not be decoded" if name == "link" else "IP header cut or damaged"
        rows.append((name, "", 0, int(links.packets[i]), int(links.wire[i]), 0, hint))
    rows.sort(key=lambda row: -row[4])
    rows = rows[:UNCLASSIFIED_TOP]
    facts.limit("unclassified", len(rows), there_are)
    names = ("protocol", "address", "port", "packets", "wire_bytes", "flows")
    return {
        **{name: [row[i] for row in rows] for i, name in enumerate(names)},
        "share": [share(row[4], facts.totals["wire_bytes"]) for row in rows],
        "hint": [row[6] for row in rows],
    }


def _hint(facts: Facts, members: Array) -> str:
    """What little is known of flows to one endpoint."""
    flows = facts.read.flows
    hints = []
    states = flows.tcp_state[members]
    failed = np.isin(states, [TCP_STATES.index(s) for s in FAILED_TCP_STATES])
    if failed.all():
        refused = int((states == TCP_STATES.index("refused")).sum())
        unanswered = len(members) - refused
        if unanswered:
            hints.append(f"{unanswered} {_plural(unanswered, 'connection attempt')} not answered")
        if refused:
            hints.append(f"{refused} {_plural(refused, 'connection attempt')} refused")
    elif flows.unresolved[members].all():
        hints.append("fragments whose first one is missing")
    elif (states == TCP_STATES.index("midstream")).all():
        hints.append("began before the capture")
    candidates = facts.labels.candidates
    if len(candidates):
        considered = distinct(candidates.component[np.isin(candidates.flow, members)])
        if len(considered):
            hints.append(f"port of {', '.join(sorted(facts.labels.components[i] for i in considered.tolist())[:3])}")
    if len(members) and not flows.orig_payload[members].any() and not flows.resp_payload[members].any():
        if not failed.all():
            hints.append("no payload")
    elif len(members) and not failed.all() and not flows.resp_packets[members].any():
        hints.append("one direction only")
    return "; ".join(hints)


def _plural(n: int, word: str) -> str:
    return word if n == 1 else f"{word}s"
