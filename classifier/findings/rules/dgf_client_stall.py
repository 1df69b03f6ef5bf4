"""DGF-CLIENT-STALL: video from a Digifort server to a client stands still, and who holds it up."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.case import SECOND, Array, Case
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted, percent, rate, span

_CLIENT = (
    "The client's computer takes its data too slowly: look at its processor and graphics load, show fewer cameras or "
    "streams of lower resolution (a second media profile) there."
)
_PATH = (
    "Segments get lost between server and client: look at the path (full link, wireless, duplex, VPN), and give this "
    "client streams of lower bit rate."
)
_SERVER = (
    "Nothing was lost and the client was ready: the server had nothing to send. Look at the camera's stream at that "
    "time, then at the server's load; playback that was paused looks the same."
)

_VIDEO = ("digifort.server", "digifort.http_api", "digifort.rtsp")
_UNSEEN = 0.01
"""Share of the server's bytes that the capture may lack: where it has gaps itself, a stand-still is no news (ours)."""
BIN_NS = 100_000_000


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    flows, tcp = case.flows, case.read.tcp
    of_server = case.owned_by(*_VIDEO)[tcp.flow]
    flow = tcp.flow
    lasted = flows.last_ns[flow] - flows.first_ns[flow]
    sent = flows.resp_payload[flow]
    video = of_server & (lasted >= setting("seconds") * SECOND)
    video &= sent * 8 * SECOND >= setting("kbps") * 1000 * lasted.astype("f8")
    full = tcp.orig["zero_window_ns"] >= setting("window_s") * SECOND
    stood = tcp.resp["stall_ns"] >= setting("stall_s") * SECOND
    stood &= tcp.resp["unseen_bytes"] <= _UNSEEN * sent
    rows = np.flatnonzero(video & (full | stood))
    begin = tcp.resp["stall_at_ns"]
    end = begin + tcp.resp["stall_ns"]
    there = [
        bool(full[row]) or case.captured_between(int(begin[row]) + BIN_NS, int(end[row]) - BIN_NS)
        for row in rows.tolist()
    ]
    rows = rows[np.array(there, bool)]
    pair = case.addresses.orig[flow[rows]] * max(len(case.addresses), 1) + case.addresses.resp[flow[rows]]
    order = np.lexsort((-np.maximum(tcp.orig["zero_window_ns"][rows], tcp.resp["stall_ns"][rows]), pair))
    rows, pair = rows[order], pair[order]
    groups = np.split(rows, np.flatnonzero(pair[1:] != pair[:-1]) + 1) if len(rows) else []
    longest = [-int(max(tcp.orig["zero_window_ns"][group[0]], tcp.resp["stall_ns"][group[0]])) for group in groups]
    ranked = [groups[k] for k in np.argsort(longest, kind="stable").tolist()]
    found = [_finding(case, group, setting) for group in ranked]
    yield from sorted(found, key=lambda item: item.severity == "info")


def _finding(case: Case, rows: Array, setting: Callable[[str], float]) -> Finding:
    """One client and server; `rows` of the TCP table, the longest stand-still first."""
    flows, tcp = case.flows, case.read.tcp
    worst = int(rows[0])
    flow = int(tcp.flow[worst])
    client = case.place(case.addresses.text(int(case.addresses.orig[flow])))
    server = case.place(case.addresses.text(int(case.addresses.resp[flow])))
    zero, stall = int(tcp.orig["zero_window_ns"][worst]), int(tcp.resp["stall_ns"][worst])
    again = int(tcp.resp["retransmitted_bytes"][worst]) / max(int(flows.resp_payload[flow]), 1)
    lasted = int(flows.last_ns[flow] - flows.first_ns[flow])
    severity, remedy, why = _cause(zero, again, setting)
    parts = [
        f"The connection {case.ends(flow)} brought {rate(int(flows.resp_payload[flow]) * 8 * SECOND / max(lasted, 1))} "
        f"for {span(lasted)}."
    ]
    if zero:
        parts.append(f"The client's receive window was closed for {span(zero)} in all.")
    if stall >= setting("stall_s") * SECOND:
        parts.append(f"For {span(stall)} from {case.at(int(tcp.resp['stall_at_ns'][worst]))} on no new data came.")
    parts.append(f"{percent(again)} of the server's bytes were sent again. {why}")
    if len(rows) > 1:
        parts.append(f"{counted(len(rows) - 1, 'further connection')} of this client did so too.")
    ids = tcp.flow[rows].tolist()
    return Finding(
        title=f"Video from {server} to client {client} stands still, for {span(max(zero, stall))}",
        summary=" ".join(parts),
        flow_ids=ids,
        first_record=case.first_record(ids),
        selection=filters.of_flows(case, ids),
        severity=severity,
        remedy=remedy,
    )


def _cause(zero: int, again: float, setting: Callable[[str], float]) -> tuple[str, str, str]:
    """(severity, remedy, sentence)."""
    if zero >= setting("window_s") * SECOND:
        return "warning", _CLIENT, "The client held it up."
    if again > setting("again"):
        return "warning", _PATH, "The path held it up."
    return "info", _SERVER, "Neither the client nor the path held it up."


RULE = Rule(
    code="DGF-CLIENT-STALL",
    severity="warning",
    title="Video from a Digifort server to a client stands still",
    remedy=_PATH,
    source='Digifort Ports and Addresses, 3.1: "all client access for administration and surveillance comes through '
    'this port"; zero window and retransmission as RFC 9293 3.8 and Wireshark define them; thresholds ours',
    check=check,
    needs=(needs.DIGIFORT, needs.FOLLOWED, needs.TCP_DATA),
    settings=(
        Setting("kbps", 200, "kbit/s", "from server to client, on average, that makes a connection video"),
        Setting("seconds", 10, "s", "such a connection must last"),
        Setting("window_s", 1, "s", "in all that the client may have its window closed"),
        Setting("stall_s", 3, "s", "that may pass without new data"),
        Setting("again", 0.01, "share", "of the server's bytes sent again from which the path is to blame"),
    ),
)
