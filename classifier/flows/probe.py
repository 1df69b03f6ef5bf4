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
    if row["begun"] != 0 and continues(
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
