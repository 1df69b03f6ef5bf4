"""Continuity counters of MPEG transport streams, bare in UDP or in RTP.

In: a batch whose packets with transport stream carry their STREAM row plus one in `around` (`flows.probe`), and the
buffer of their payloads. Out: TS_PID rows, the streams' `ts_errors`. Sources: ISO/IEC 13818-1 2.4.3.3 (counter: up by
one with each packet that has a payload; once the same for a repeated packet) and 2.4.3.5 (a marked discontinuity).

Copies of whole datagrams, as a mirror makes them, are passed over: in RTP they are told by their number, else by what
is in them.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be32
from classifier.decode.hints import MPEGTS, RTP
from classifier.decode.payload_types import MP2T
from classifier.flows.hashing import mix
from classifier.flows.stream_table import STREAMS, TS_CAP, TS_FULL, TS_PIDS, TS_RECENT, TS_ROWS
from classifier.jit import i64, kernel

_PACKET = 188
_NULL_PID = 0x1FFF


@kernel
def continuity_batch(buffer: Any, packets: Any, first: int, last: int, media: Any, pids: Any) -> None:
    """Look at the transport packets of `packets[first:last]`, whose payloads lie in `buffer`."""
    for i in range(first, last):
        p = packets[i]
        row = i64(p["around"]) - 1
        hint = i64(p["hint"])
        if row < 0 or row >= i64(media[3][STREAMS]) or p["frag_offset"] != 0:
            continue
        at = i64(p["payload_at"])
        end = at + i64(p["payload_captured"])
        if hint == RTP and (i64(p["tcp_flags"]) & 0x7F) == MP2T:
            at += rtp_head(buffer, at, end)
        elif hint != MPEGTS or is_repeated(buffer, at, end, media[0][row]):
            continue
        while at + 4 <= end and i64(buffer[at]) == 0x47:
            transport_packet(buffer, at, min(end, at + _PACKET), media, row, pids)
            at += _PACKET


@kernel
def is_repeated(buffer: Any, at: int, end: int, s: Any) -> bool:
    """Whether a datagram is one of the stream's last ones again: same headers, and payload as far as it is compared."""
    if at + 16 > end:
        return False
    h = 0x9E3779B1
    while at + 16 <= end:
        h = mix(mix(mix(h, be32(buffer, at)), be32(buffer, at + 8)), be32(buffer, at + 12))
        if at + _PACKET <= end:
            h = mix(mix(h, be32(buffer, at + 96)), be32(buffer, at + _PACKET - 4))
        at += _PACKET
    recent = s["ts_recent"]
    for k in range(TS_RECENT):
        if recent[k] == h:
            return True
    for k in range(TS_RECENT - 1, 0, -1):
        recent[k] = recent[k - 1]
    recent[0] = h
    return False


@kernel
def rtp_head(buffer: Any, at: int, end: int) -> int:
    """Length of the RTP header at `at`, with contributing sources and extension."""
    first = i64(buffer[at])
    head = 12 + 4 * (first & 0x0F)
    if first & 0x10 != 0:
        head += 4 + 4 * be16(buffer, at + head + 2) if at + head + 4 <= end else 4
    return head


@kernel
def transport_packet(buffer: Any, at: int, end: int, media: Any, row: int, pids: Any) -> None:
    """One packet's counter against the one before of its PID."""
    s = media[0][row]
    state = media[3]
    pid = be16(buffer, at + 1) & 0x1FFF
    s["ts_packets"] += 1
    if pid == _NULL_PID:
        return
    if s["ts"] == 0:
        block = i64(state[TS_ROWS])
        if block >= i64(state[TS_CAP]):
            state[TS_FULL] += 1
            return
        state[TS_ROWS] = block + 1
        s["ts"] = block
    base = i64(s["ts"]) * TS_PIDS
    k = 0
    while k < TS_PIDS and pids[base + k]["used"] != 0 and pids[base + k]["pid"] != pid:
        k += 1
    if k == TS_PIDS:
        state[TS_FULL] += 1
        return
    t = pids[base + k]
    control = i64(buffer[at + 3]) >> 4 & 3
    counter = i64(buffer[at + 3]) & 0x0F
    marked = control & 2 != 0 and at + 6 <= end and i64(buffer[at + 4]) > 0 and i64(buffer[at + 5]) & 0x80 != 0
    if t["used"] == 0:
        t["used"] = 1
        t["pid"] = pid
    elif not marked and control & 1 != 0:
        step = (counter - i64(t["counter"])) & 0x0F
        if step == 0 and t["twice"] == 0:
            t["twice"] = 1
            return
        if step != 1:
            t["errors"] += 1
            s["ts_errors"] += 1
    elif not marked and counter != t["counter"]:
        t["errors"] += 1  # without a payload it must not move
        s["ts_errors"] += 1
    t["twice"] = 0
    t["counter"] = counter
