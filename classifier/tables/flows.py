"""Flows, and the components that could not be given one.

In: `Facts`. Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from classifier.columns import NO_VLAN, encapsulation_name
from classifier.decode.protocols import protocol_name
from classifier.flows.table import DIRECTION_BASES, TCP_STATES
from classifier.tables.facts import Array, Columns, Facts, picked
from classifier.tables.rates import flow_peaks
from classifier.tables.transport import flow_transport

CANDIDATES_LISTED = 10_000


def flows(facts: Facts) -> Columns:
    """All flows, in order of first packet."""
    table, labels, addresses = facts.read.flows, facts.labels, facts.addresses
    n = len(table)
    vlan = table.vlan.astype(object)
    vlan[table.vlan == NO_VLAN] = None
    peaks, whens = flow_peaks(facts.read.bins, facts.read.bin_width_ns, facts.flow_of_row, n)
    return {
        "flow_id": np.arange(n),
        "protocol": _named(table.proto, protocol_name),
        "orig_address": addresses.texts(addresses.orig),
        "orig_port": table.orig_port,
        "resp_address": addresses.texts(addresses.resp),
        "resp_port": table.resp_port,
        "vlan": vlan,
        "encapsulation": _named(table.encap, encapsulation_name),
        "first_ns": table.first_ns,
        "last_ns": table.last_ns,
        "orig_packets": table.orig_packets,
        "resp_packets": table.resp_packets,
        "orig_wire_bytes": table.orig_wire,
        "resp_wire_bytes": table.resp_wire,
        "orig_payload_bytes": table.orig_payload,
        "resp_payload_bytes": table.resp_payload,
        "tcp_state": picked(TCP_STATES, table.tcp_state),
        "component": picked(labels.components, labels.component),
        "grade": picked(("", "probable", "confirmed"), labels.grade),
        "evidence": labels.evidence_lists(),
        "candidates": _candidates_per_flow(facts, n),
        "direction_basis": picked(DIRECTION_BASES, table.direction_basis),
        "orig_ip_bytes": table.orig_ip,
        "resp_ip_bytes": table.resp_ip,
        "capture": table.capture,
        "first_record": table.first_record,
        "name": facts.flow_names,
        "peak_bps": peaks,
        "peak_ns": whens,
        **flow_transport(facts),
    }


def _candidates_per_flow(facts: Facts, n: int) -> list[list[str]]:
    """Per flow the components that it could not be given; flows without any share one empty list."""
    found = facts.labels.candidates
    none: list[str] = []
    out = [none] * n
    if not len(found):
        return out
    names = picked(facts.labels.components, found.component)
    starts = np.flatnonzero(np.concatenate(([True], found.flow[1:] != found.flow[:-1])))
    for flow, mine in zip(found.flow[starts].tolist(), np.split(names, starts[1:]), strict=True):
        out[flow] = mine.tolist()
    return out


def _named(codes: Array, name: Callable[[int], str]) -> Array:
    distinct, at = np.unique(codes, return_inverse=True)
    return np.array([*(name(code) for code in distinct.tolist()), ""], object)[at]


def candidates(facts: Facts) -> Columns:
    """Components that a port alone would suggest, in order of flow; the first `CANDIDATES_LISTED`."""
    rows = facts.labels.candidates[:CANDIDATES_LISTED]
    facts.limit("candidates", len(rows), len(facts.labels.candidates))
    return {"component": [r[0] for r in rows], "flow_id": [r[1] for r in rows], "reason": [r[2] for r in rows]}
