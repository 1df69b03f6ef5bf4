"""Measures of how well the capture could be read: what is cut, dropped, seen from one side only.

In: `Facts`. Out: columns of the table "quality". Next: `report`.
"""

from __future__ import annotations

import numpy as np

from classifier.flows.table import TCP_STATES
from classifier.tables.facts import Columns, Facts, share, total
from classifier.tables.streams import expected_and_lost

_TCP = 6


def quality(facts: Facts) -> Columns:
    """One row per measure; the set of measures is the same for every capture."""
    read, totals, flows = facts.read, facts.totals, facts.read.flows
    tcp = flows.proto == _TCP
    n_tcp = int(tcp.sum())
    both = (flows.orig_packets > 0) & (flows.resp_packets > 0)
    midstream = np.isin(flows.tcp_state, [i for i, name in enumerate(TCP_STATES) if name.startswith("midstream")])
    read_packets = sum(info.packets for info in read.captures)
    hosts = int((~facts.addresses.group).sum())
    listed = facts.limits["hosts"].listed if "hosts" in facts.limits else hosts
    nobody = [i for i in range(len(facts.labels.components)) if facts.product(i) == "unclassified"]
    unowned = total(
        flows.wire[np.isin(facts.labels.component, nobody)],
        read.links.wire[np.isin(facts.labels.link_component, nobody)],
    )
    streams, missing, shared, alone, moments, whose = _streams(facts)
    rows: list[tuple[str, float, str, str]] = [
        ("captures", len(read.captures), "captures", "files read as one capture"),
        ("captures_incomplete", sum(not i.complete for i in read.captures), "captures", "damaged, cut or interrupted"),
        (
            "problems",
            sum(info.problem_count for info in read.captures) + len(facts.problems),
            "problems",
            "places where reading met damage or a limit",
        ),
        ("packets_read", read_packets, "packets", "records in the files"),
        (
            "packets_missing",
            read_packets - totals["packets"],
            "packets",
            "read but in no row: 0, unless the reading was stopped",
        ),
        (
            "packets_stopped",
            total(flows.stopped, read.links.stopped),
            "packets",
            "packets whose decoding ended early (cut or damaged)",
        ),
        (
            "bytes_not_captured",
            max(0, totals["wire_bytes"] - totals["captured_bytes"]),
            "bytes",
            "parts of packets beyond the snapshot length",
        ),
        (
            "packets_dropped",
            sum(i.dropped for i in read.captures),
            "packets",
            "lost while capturing, as noted",
        ),
        (
            "comments",
            sum(len(i.comments) for i in read.captures),
            "comments",
            "notes in the captures, listed in JSON and below",
        ),
        ("names", len(facts.names), "names", "host names that the captures give"),
        ("fragments", total(flows.fragments), "packets", "IP fragments"),
        ("flows_unresolved", int(flows.unresolved.sum()), "flows", "later fragments whose first one is missing"),
        ("tcp_flows", n_tcp, "flows", "TCP connections and attempts"),
        (
            "tcp_midstream",
            share(int((midstream & tcp).sum()), n_tcp),
            "share",
            "TCP flows begun before the capture",
        ),
        ("tcp_one_sided", share(int((tcp & ~both).sum()), n_tcp), "share", "TCP flows with packets of one side only"),
        (
            "tcp_bytes_unseen",
            total(read.tcp.orig["unseen_bytes"], read.tcp.resp["unseen_bytes"]),
            "bytes",
            "acknowledged by their receiver, not in the capture: the capture lost them",
        ),
        ("streams", streams, "streams", "media streams: RTP, and MPEG-TS without RTP"),
        ("stream_packets_missing", missing, "packets", "of RTP streams, by their sequence numbers"),
        (
            "stream_packets_missing_together",
            shared,
            "packets",
            f"while many streams lost: most likely the capture's{whose}",
        ),
        ("stream_packets_missing_alone", alone, "packets", f"in one stream alone: its path's or its camera's{whose}"),
        ("stream_moments_of_loss", moments, "moments", f"at which many streams lost{whose}"),
        ("unclassified", share(unowned, totals["wire_bytes"]), "share", "wire bytes that no component owns"),
        ("hosts", hosts, "hosts", "addresses that are no group"),
        ("hosts_not_listed", hosts - listed, "hosts", "left out of the table of hosts"),
        ("duration", totals["duration_ns"] / 1e9, "s", "from the first packet to the last"),
        ("bin_width", read.bin_width_ns / 1e9, "s", "width of the time bins"),
    ]
    names = ("measure", "value", "unit", "meaning")
    return {name: [float(r[1]) if name == "value" else r[i] for r in rows] for i, name in enumerate(names)}


def _streams(facts: Facts) -> tuple[int, int, int, int, int, str]:
    """Streams; packets missing in them: in all, together, alone; moments of the former; what to add to the meaning."""
    streams = facts.read.streams
    listed = facts.flow_of_row[streams.rows["where"] >> 1] >= 0
    missing = int(expected_and_lost(streams.rows)[1][listed].sum())
    if facts.losses is None:
        return int(listed.sum()), missing, 0, 0, 0, "; cannot be told, time bins of streams are wider than 1 s"
    shared = min(int(facts.losses.with_others.sum()), missing)
    return int(listed.sum()), missing, shared, missing - shared, facts.losses.moments, ""
