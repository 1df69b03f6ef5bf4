"""Is it a media stream? Counting, per direction of a flow, packets that continue the one before.

In: packets that the sniffer calls RTP, RTCP or MPEG-TS. Out: PROBE rows. One packet that looks like RTP proves
nothing (RFC 3550, A.1 calls the test weak); a run with one SSRC and payload type, sequence numbers one apart and
time stamps that do not go back does. Next: `evidence.proofs`; and `flows.streams`, which follows each source.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.hints import MPEGTS, RTCP
from classifier.decode.payload_types import MP2T
from classifier.flows.state import FOLLOW, PROBES, PROBES_CAP, PROBES_FULL, RTP_ENOUGH
from classifier.flows.stream_table import TS_WAITING
from classifier.flows.streams import follow_rtp, follow_ts
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
def probe_row(flows: Any, where: int, probes: Any, state: Any) -> int:
    """The PROBE row of a direction of a flow, made when there is none; -1 when there is no room."""
    f = flows[where >> 1]
    at = i64(f["probe"])
    if at == 0:
        at = i64(state[PROBES])
        if at + 2 > i64(state[PROBES_CAP]):
            state[PROBES_FULL] += 1
            return -1
        state[PROBES] = at + 2
        f["probe"] = at
    return at + (where & 1)


@kernel
def count_hit(row: Any, ssrc: int, kind: int, seq: int, stamp: int) -> None:
    """Whether the packet continues the one before, until that is certain."""
    if row["begun"] != 0 and continues(
        i64(row["last_ssrc"]), i64(row["last_pt"]), i64(row["last_seq"]), i64(row["last_ts"]), ssrc, kind, seq, stamp
    ):
        row["hits"] += 1
    row["begun"] = 1
    row["last_ssrc"] = ssrc
    row["last_ts"] = stamp
    row["last_seq"] = seq
    row["last_pt"] = kind


@kernel
def probe_media(
    flows: Any,
    where: int,
    probes: Any,
    streams: Any,
    places: Any,
    logged: Any,
    counts: Any,
    state: Any,
    packets: Any,
    i: int,
    hint: int,
) -> None:
    """Note a packet that may be media. There is room for two more rows, or the cap is reached.

    For transport streams `around`, which nobody needs any more, becomes the STREAM row plus one (`flows.continuity`).
    """
    at = probe_row(flows, where, probes, state)
    p = packets[i]
    if at < 0:
        p["around"] = 0
        return
    row = probes[at]
    if hint == RTCP:
        row["reports"] = min(i64(row["reports"]) + 1, _FULL)
        return
    ns, wire, payload = i64(p["ts_ns"]), i64(p["wire"]), i64(p["payload"])
    if hint == MPEGTS:
        row["datagrams"] = min(i64(row["datagrams"]) + 1, _FULL)
        if state[FOLLOW] == 0:
            p["around"] = 0
            return
        p["around"] = follow_ts(probes, at, streams, places, logged, counts, where, ns, wire, payload) + 1
        counts[TS_WAITING] += 1
        return
    ssrc, kind, seq, stamp = i64(p["seq"]), i64(p["tcp_flags"]) & 0x7F, i64(p["window"]), i64(p["ack"])
    if row["hits"] < RTP_ENOUGH:
        count_hit(row, ssrc, kind, seq, stamp)
    if state[FOLLOW] == 0:
        p["around"] = 0
        return
    picture = i64(p["icmp_type"])
    row_of = follow_rtp(
        probes, at, streams, places, logged, counts, where, ssrc, kind, seq, stamp, ns, wire, payload, picture
    )
    if kind == MP2T:
        p["around"] = row_of + 1
        counts[TS_WAITING] += 1
