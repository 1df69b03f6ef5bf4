"""Is it a media stream? Counting, per direction of a flow, packets that continue the one before.

In: packets that the sniffer calls RTP, RTCP or MPEG-TS. Out: PROBE rows. One packet that looks like RTP proves
nothing (RFC 3550, A.1 calls the test weak); a run with one SSRC and payload type, sequence numbers one apart and
time stamps that do not go back does. Next: `evidence.proofs`.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.hints import MPEGTS, RTCP
from classifier.flows.state import PROBES, PROBES_CAP, PROBES_FULL, RTP_ENOUGH
from classifier.jit import i64, kernel

_FULL = 0xFFFF


@kernel
def continues(
    ssrc: int, kind: int, seq: int, ts: int, next_ssrc: int, next_kind: int, next_seq: int, next_ts: int
) -> bool:
    """Whether an RTP header is the next one of a stream: numbers modulo 2^16, time stamps modulo 2^32."""
    if ssrc != next_ssrc or kind != next_kind or (seq + 1) & 0xFFFF != next_seq:
        return False
    return (next_ts - ts) & 0xFFFFFFFF < 0x80000000


@kernel
def probe_media(flows: Any, where: int, probes: Any, state: Any, packets: Any, i: int, hint: int) -> None:
    """Note a packet that may be media. There is room for two more rows, or the cap is reached."""
    f = flows[where >> 1]
    at = i64(f["probe"])
    if at == 0:
        at = i64(state[PROBES])
        if at + 2 > i64(state[PROBES_CAP]):
            state[PROBES_FULL] += 1
            return
        state[PROBES] = at + 2
        f["probe"] = at
    row = probes[at + (where & 1)]
    if hint == MPEGTS:
        row["datagrams"] = min(i64(row["datagrams"]) + 1, _FULL)
        return
    if hint == RTCP:
        row["reports"] = min(i64(row["reports"]) + 1, _FULL)
        return
    if row["hits"] >= RTP_ENOUGH:
        return
    p = packets[i]
    kind = i64(p["tcp_flags"]) & 0x7F
    if row["begun"] == 0:
        row["first_ssrc"] = p["seq"]
        row["first_ts"] = p["ack"]
        row["first_seq"] = p["window"]
        row["first_pt"] = kind
    elif continues(
        i64(row["last_ssrc"]),
        i64(row["last_pt"]),
        i64(row["last_seq"]),
        i64(row["last_ts"]),
        i64(p["seq"]),
        kind,
        i64(p["window"]),
        i64(p["ack"]),
    ):
        row["hits"] += 1
    row["begun"] = 1
    row["last_ssrc"] = p["seq"]
    row["last_ts"] = p["ack"]
    row["last_seq"] = p["window"]
    row["last_pt"] = kind


@kernel
def merge_probes(probes: Any, row: int, other: int) -> None:
    """Add to `row` what a later part of the same direction showed."""
    f = probes[row]
    g = probes[other]
    f["datagrams"] = min(i64(f["datagrams"]) + i64(g["datagrams"]), _FULL)
    f["reports"] = min(i64(f["reports"]) + i64(g["reports"]), _FULL)
    if g["begun"] == 0:
        return
    hits = i64(f["hits"]) + i64(g["hits"])
    if f["begun"] == 0:
        f["first_ssrc"] = g["first_ssrc"]
        f["first_ts"] = g["first_ts"]
        f["first_seq"] = g["first_seq"]
        f["first_pt"] = g["first_pt"]
    elif continues(
        i64(f["last_ssrc"]),
        i64(f["last_pt"]),
        i64(f["last_seq"]),
        i64(f["last_ts"]),
        i64(g["first_ssrc"]),
        i64(g["first_pt"]),
        i64(g["first_seq"]),
        i64(g["first_ts"]),
    ):
        hits += 1
    f["hits"] = min(hits, RTP_ENOUGH)
    f["begun"] = 1
    f["last_ssrc"] = g["last_ssrc"]
    f["last_ts"] = g["last_ts"]
    f["last_seq"] = g["last_seq"]
    f["last_pt"] = g["last_pt"]


@kernel
def swap_probes(probes: Any, at: int) -> None:
    """Exchange the rows of both sides."""
    last_ssrc = i64(probes[at]["last_ssrc"])
    probes[at]["last_ssrc"] = probes[at + 1]["last_ssrc"]
    probes[at + 1]["last_ssrc"] = last_ssrc
    last_ts = i64(probes[at]["last_ts"])
    probes[at]["last_ts"] = probes[at + 1]["last_ts"]
    probes[at + 1]["last_ts"] = last_ts
    first_ssrc = i64(probes[at]["first_ssrc"])
    probes[at]["first_ssrc"] = probes[at + 1]["first_ssrc"]
    probes[at + 1]["first_ssrc"] = first_ssrc
    first_ts = i64(probes[at]["first_ts"])
    probes[at]["first_ts"] = probes[at + 1]["first_ts"]
    probes[at + 1]["first_ts"] = first_ts
    last_seq = i64(probes[at]["last_seq"])
    probes[at]["last_seq"] = probes[at + 1]["last_seq"]
    probes[at + 1]["last_seq"] = last_seq
    first_seq = i64(probes[at]["first_seq"])
    probes[at]["first_seq"] = probes[at + 1]["first_seq"]
    probes[at + 1]["first_seq"] = first_seq
    hits = i64(probes[at]["hits"])
    probes[at]["hits"] = probes[at + 1]["hits"]
    probes[at + 1]["hits"] = hits
    datagrams = i64(probes[at]["datagrams"])
    probes[at]["datagrams"] = probes[at + 1]["datagrams"]
    probes[at + 1]["datagrams"] = datagrams
    reports = i64(probes[at]["reports"])
    probes[at]["reports"] = probes[at + 1]["reports"]
    probes[at + 1]["reports"] = reports
    last_pt = i64(probes[at]["last_pt"])
    probes[at]["last_pt"] = probes[at + 1]["last_pt"]
    probes[at + 1]["last_pt"] = last_pt
    first_pt = i64(probes[at]["first_pt"])
    probes[at]["first_pt"] = probes[at + 1]["first_pt"]
    probes[at + 1]["first_pt"] = first_pt
    begun = i64(probes[at]["begun"])
    probes[at]["begun"] = probes[at + 1]["begun"]
    probes[at + 1]["begun"] = begun
