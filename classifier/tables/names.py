"""Names that payloads give to flows, and what belongs to no product, by service and name.

In: `Facts` (proofs of flows). Out: a name per flow; the rows of `others`. Next: `flows`, `classifier.report`.
Names are text of packets, as they were sent: whoever shows them escapes them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.arrays import distinct
from classifier.evidence.marks import mark_bit
from classifier.tables.facts import Columns, Facts, share, sums

OTHERS_LISTED = 1000
NAME_LIMIT = 253  # characters of the longest host name (RFC 1035, 2.3.4)

# (mark, side that says it: 1 originator, 0 responder, None either), the best name first
_SAID = (
    ("tls", 1),  # the server name that the client asked for
    ("ssrp_reply", 0),  # SQL Server instances
    ("ssrp_request", 1),
    ("tds_prelogin", 1),
    ("digifort_login", 0),  # versions
    ("digifort_analytics", 0),
    ("digifort_lpr", 0),
    ("rtsp", 0),  # server software
    ("http", 0),
    ("onvif", None),  # hardware
    ("ssdp", None),
)
_SPEAKERS: dict[str, int | None] = dict(_SAID)
_SQL = ("other.mssql", "other.ssrp")
_RTP = "other.rtp"


def flow_names(facts: Facts) -> list[str]:
    """Per flow the best name that its payload gives, empty without one."""
    flows, proofs = facts.read.flows, facts.labels.proofs
    names = [""] * len(flows)
    for flow in proofs.flows():
        said: dict[str, str] = {}
        for proof in proofs.of(flow):
            by_originator = int((proof.side == 1) == bool(flows.turned[flow]))
            if _SPEAKERS.get(proof.code, -1) not in (None, by_originator):
                continue
            if proof.detail and (proof.code != "ssdp" or "upnp/" in proof.detail.lower()):  # a server, no search target
                said.setdefault(proof.code, proof.detail)
        names[flow] = next((said[code][:NAME_LIMIT] for code, _ in _SAID if code in said), "")
    return names


def others(facts: Facts) -> Columns:
    """What belongs to no product and is known, by service and name, most bytes first; `OTHERS_LISTED` rows."""
    labels, flows = facts.labels, facts.read.flows
    other = np.array([facts.product(i) == "other" for i in range(len(labels.components))], bool)
    chosen = np.flatnonzero(other[labels.component])
    numbers: dict[str, int] = {"": 0}
    at = np.array([numbers.setdefault(facts.flow_names[flow], len(numbers)) for flow in chosen.tolist()], "i8")
    texts = list(numbers)
    kinds, group = np.unique(labels.component[chosen].astype("i8") * len(texts) + at, return_inverse=True)
    packets, wire = sums(group, flows.packets[chosen], len(kinds)), sums(group, flows.wire[chosen], len(kinds))
    tls = sums(group, (flows.evidence[chosen] & mark_bit("tls")) != 0, len(kinds)) > 0
    count = np.bincount(group, minlength=len(kinds))
    size = max(len(facts.addresses), 1)
    servers = np.bincount(distinct(group * size + facts.addresses.resp[chosen]) // size, minlength=len(kinds))
    ranked = np.lexsort((kinds, -wire))
    facts.limit("others", min(len(ranked), OTHERS_LISTED), len(ranked))
    rows: list[dict[str, Any]] = []
    for k in ranked[:OTHERS_LISTED].tolist():
        component, name = (
            labels.components[int(kinds[k]) // len(texts)],
            texts[int(kinds[k]) % len(texts)],
        )
        rows.append(
            {
                "component": component,
                "what": _what(facts, component, name, bool(tls[k])),
                "name": name,
                "servers": int(servers[k]),
                "packets": int(packets[k]),
                "wire_bytes": int(wire[k]),
                "flows": int(count[k]),
                "share": share(int(wire[k]), facts.totals["wire_bytes"]),
            }
        )
    columns = ("component", "what", "name", "servers", "packets", "wire_bytes", "flows", "share")
    return {column: [row[column] for row in rows] for column in columns}


def _what(facts: Facts, component: str, name: str, tls: bool) -> str:
    """`"TLS to NAME"`, `"RTP without a known owner"`, `"HTTP by NAME"`, or the service's own name."""
    label = facts.signatures.name_of(component)
    if tls:
        return f"TLS to {name}" if name else f"{label}, TLS without a server name"
    if component == _RTP:
        return f"{label} without a known owner"
    if not name:
        return label
    return f"{label}, {name}" if component in _SQL else f"{label} by {name}"
