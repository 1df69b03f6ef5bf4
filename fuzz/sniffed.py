"""Payloads through the sniffer and the tally: hints, media, candidates, in the interpreted kernels.

In: any bytes, read as packets. Out: nothing; an exception is a finding. Next: `fuzz/targets.py`.
"""

from __future__ import annotations

import numpy as np

from classifier.columns import PACKET
from classifier.decode.hints import HINTS, WANTED
from classifier.evidence.collect import Collector
from classifier.flows import state
from classifier.flows.finish import finish_flows
from classifier.flows.tally import Tally
from classifier.jit import INTERPRETED, view

_PORTS = (80, 554, 1434, 3456, 8600, 50_000, 50_001, 60_000)
_CAPS: tuple[dict[str, int], ...] = ({}, {"max_flows": 2}, {"max_payloads": 3})
MOST = 64
"""Packets of one input."""


def payloads(data: bytes) -> None:
    """Packets (protocol and ports, more on the wire, length, payload) of a few flows, in one batch and in two."""
    rows = _packets(data)
    for number in range(len(rows)):
        row = rows[number : number + 1]
        start, size = int(row["payload_at"][0]), int(row["payload_captured"][0])
        row["payload_at"] = 0
        # a buffer that ends with the payload: whatever is read behind it raises
        INTERPRETED.sniff_batch(view(data[start : start + size], False), row, 1)
        row["payload_at"] = start
        assert int(row["hint"][0]) & ~WANTED < len(HINTS)
    for caps in _CAPS:
        whole = _tallied(data, rows, (len(rows),), caps)
        assert whole == _tallied(data, rows, (len(rows) // 2, len(rows)), caps)


def _packets(data: bytes) -> np.ndarray:
    places = []
    at = 0
    while at + 3 <= len(data) and len(places) < MOST:
        size = min(data[at + 2], len(data) - at - 3)
        places.append((data[at], data[at + 1], at + 3, size))
        at += 3 + size
    rows = np.zeros(len(places), PACKET)
    for number, (ends, more, start, size) in enumerate(places):
        row = rows[number]
        row["proto"] = 6 if ends & 1 else 17
        row["src3"], row["dst3"] = (1, 2) if ends & 2 else (2, 1)
        row["src_port"], row["dst_port"] = _PORTS[ends >> 2 & 7], _PORTS[ends >> 5]
        row["version"], row["ts_ns"], row["record"] = 4, number, number + 1
        row["payload_at"], row["payload_captured"], row["payload"] = start, size, size + more
        row["wire"] = row["captured"] = 60 + size
    return rows


def _tallied(data: bytes, rows: np.ndarray, ends: tuple[int, ...], caps: dict[str, int]) -> tuple[object, ...]:
    """What the tally and the parsers make of it."""
    tally = Tally(compiled=False, room=max(len(rows), 1), **caps)
    collector = Collector(max_facts=50)
    handed, start = 0, 0
    for end in ends:
        part = rows[start:end].copy()
        found = tally.update(part, len(part))
        assert len(found) <= len(part)
        assert all(0 < int(kind) < len(state.SIDE_LIMITS) for kind in found["kind"])
        handed += len(found)
        collector.take(found, part, [(data, np.arange(len(part)))])
        start = end
    assert handed <= 2 * caps.get("max_payloads", 1000)
    flows, _ = tally.finish()
    assert int(flows["a_packets"].sum() + flows["b_packets"].sum()) == len(rows)
    for side in "ab":
        assert all(int(count) <= max(state.SIDE_LIMITS) for count in flows[f"{side}_sniffed"])
    assert int(tally.state[state.PROBES]) <= len(tally.probes)
    nothing = np.zeros(65536, bool)
    table, _ = finish_flows(flows, {"tcp": nothing, "udp": nothing})
    proofs, media = collector.sessions.finish(flows)
    return (
        flows["a_hints"].tolist(),
        flows["b_hints"].tolist(),
        tally.probes[: int(tally.state[state.PROBES])].tobytes(),
        int(tally.state[state.PAYLOADS_UNSEEN]),
        collector.proofs,
        collector.announced,
        collector.dropped,
        proofs,
        media,
        table.direction_basis.tolist(),
    )
