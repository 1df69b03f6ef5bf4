"""How well TCP carried the data, per flow and per component.

In: `Facts`. Out: columns. Next: `tables.flows`, `tables.components`.
"""

from __future__ import annotations

import numpy as np

from classifier.tables.facts import Array, Columns, Facts, share, sums

_TCP = 6
_SIDES = ("orig", "resp")
_PER_SIDE = {
    "retransmitted_bytes": "retransmitted_bytes",
    "retransmitted_segments": "retransmitted",
    "out_of_order": "out_of_order",
    "zero_window_ns": "zero_window_ns",
    "unseen_bytes": "unseen_bytes",
    "stall_ns": "stall_ns",
}
"""Column by fact (`flows.tcp_table.TCP_FACTS`)."""


def flow_transport(facts: Facts) -> Columns:
    """Columns of the flow table; zeros for what is not TCP."""
    tcp, n = facts.read.tcp, len(facts.read.flows)

    def spread(values: Array) -> Array:
        column = np.zeros(n, "i8")
        column[tcp.flow] = values
        return column

    def known(values: Array, mask: Array) -> Array:
        column = np.full(n, None, object)
        column[tcp.flow[mask]] = values[mask]
        return column

    columns: Columns = {}
    for name, fact in _PER_SIDE.items():
        for side in _SIDES:
            columns[f"{side}_{name}"] = spread(getattr(tcp, side)[fact])
    columns["silence_ns"] = spread(tcp.silence_ns)
    columns["silence_at_ns"] = known(tcp.silence_at_ns, tcp.silence_ns > 0)
    columns["handshake_ns"] = known(tcp.syn_ns + tcp.synack_ns, (tcp.syn_ns >= 0) & (tcp.synack_ns >= 0))
    return columns


def retransmitted_shares(facts: Facts) -> list[float | None]:
    """Per component of the labels: the share of its TCP payload bytes that were sent again; None without any."""
    flows, tcp, labels = facts.read.flows, facts.read.tcp, facts.labels
    size = len(labels.components)
    owner = labels.component.astype("i8")
    payload = sums(owner, np.where(flows.proto == _TCP, flows.orig_payload + flows.resp_payload, 0), size)
    again = sums(owner[tcp.flow], tcp.orig["retransmitted_bytes"] + tcp.resp["retransmitted_bytes"], size)
    return [share(part, whole) if whole else None for part, whole in zip(again.tolist(), payload.tolist(), strict=True)]
