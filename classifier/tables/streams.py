"""Media streams: every figure of each, worst first.

In: `Facts` (STREAM and STREAM_BIN rows of the pass, RTCP reports, what RTSP sessions set up, flows and labels).
Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.decode.payload_types import PAYLOAD_TYPES
from classifier.evidence.sdp import Codec
from classifier.flows.stream_table import (
    CLOCK_ASSUMED,
    CLOCK_MEASURED,
    CLOCK_PAYLOAD,
    CLOCK_STATIC,
    KIND_RTP,
    KIND_TS,
)
from classifier.tables.facts import Columns, Facts, share
from classifier.tables.rates import SECOND_NS, percentile

STREAMS_LISTED = 10_000
LOOKS_LIKE = 0.9
"""Share of a stream's packets whose payload must begin as H.264 or H.265 does until it is called that."""
LOOKS_LIKE_PACKETS = 8

_TENTHS = 10
_CLOCK_BASES = {
    0: "",
    CLOCK_STATIC: "static",
    CLOCK_ASSUMED: "assumed",
    CLOCK_MEASURED: "measured",
    CLOCK_PAYLOAD: "payload",
}
_TCP = 6


def streams(facts: Facts) -> Columns:
    """One row per stream, by share lost, then jitter, then bytes; the first `STREAMS_LISTED`."""
    from classifier.columns import STREAMS

    ranked = ranking(facts)
    facts.limit("streams", min(len(ranked), STREAMS_LISTED), len(ranked))
    codecs = _codecs(facts)
    rows = [_row(facts, number, codecs) for number in ranked[:STREAMS_LISTED]]
    return {column.name: [row[column.name] for row in rows] for column in STREAMS}


def ranking(facts: Facts) -> list[int]:
    """Streams (indices into `Pass.streams.rows`) in the table's order; those whose flow is in no table are left out."""
    rows = facts.read.streams.rows
    flow = facts.flow_of_row[rows["where"] >> 1] if len(rows) else np.zeros(0, "i8")
    expected, lost = expected_and_lost(rows)
    part = lost / np.maximum(expected, 1)
    jitter = np.where(rows["clock"] > 0, rows["jitter_max"] / np.maximum(rows["clock"], 1), 0.0)
    order = np.lexsort((np.arange(len(rows)), -rows["wire"], -jitter, -rows["ts_errors"], -part))
    return [int(k) for k in order if flow[k] >= 0]


def expected_and_lost(rows: Any) -> tuple[Any, Any]:
    """(expected, lost) of STREAM rows, over all their runs, i8.

    A number that came twice does not make up for one that is missing.
    """
    rtp = rows["kind"] == KIND_RTP
    expected = rows["earlier_expected"] + rows["cycles"] + rows["max_seq"] - rows["base_seq"] + 1
    came = rows["earlier_received"] + rows["received"] - rows["duplicates"]
    return np.where(rtp, expected, 0), np.where(rtp, np.maximum(expected - came, 0), 0)


def _codecs(facts: Facts) -> dict[tuple[str, int, int], Codec]:
    """What sessions agreed on: by receiver's address, port and payload type."""
    found: dict[tuple[str, int, int], Codec] = {}
    for medium in facts.read.media:
        for pt, codec in medium.flow.payloads.items():
            for port in medium.ports[:1]:
                found.setdefault((medium.address, port, pt), codec)
    return found


def _row(facts: Facts, number: int, codecs: dict[tuple[str, int, int], Codec]) -> dict[str, Any]:
    """One stream."""
    read, addresses = facts.read, facts.addresses
    one = read.streams.rows[number : number + 1]
    s = one[0]
    flow = int(facts.flow_of_row[int(s["where"]) >> 1])
    by_originator = (int(s["where"]) & 1 == 1) == bool(read.flows.turned[flow])
    ends = (
        (addresses.orig[flow], int(read.flows.orig_port[flow])),
        (addresses.resp[flow], int(read.flows.resp_port[flow])),
    )
    (source, source_port), (target, target_port) = ends if by_originator else ends[::-1]
    sender, receiver = addresses.text(int(source)), addresses.text(int(target))
    is_group = bool(addresses.group[target])
    is_rtp = int(s["kind"]) == KIND_RTP
    ssrc, pt = int(s["ssrc"]), int(s["pt"])
    agreed = codecs.get((receiver, target_port, pt)) or read.inside.get((int(s["where"]) >> 1, pt)) if is_rtp else None
    codec, basis = _codec(s, agreed)
    clock, clock_basis, measured = _clock(s, agreed)
    expected, lost = (int(values[0]) for values in expected_and_lost(one))
    heard = read.reports.about(ssrc, sender, receiver, is_group) if is_rtp else None
    told = heard is not None and heard.count > 0
    first, last = int(s["first_ns"]), int(s["last_ns"])
    ts = int(s["kind"]) == KIND_TS or int(s["ts_packets"]) > 0
    keys = _keys(s, codec)
    frames = int(s["frames"])

    def ms(ticks: float, count: int) -> float | None:
        return round(1000 * ticks / clock, 6) if measured and clock and count else None

    jitters, frame_jitters = int(s["jitters"]), int(s["frame_jitters"])
    return {
        "flow_id": flow,
        "kind": "rtp" if is_rtp else "mpegts",
        "ssrc": f"0x{ssrc:08x}" if is_rtp else "",
        "sender_address": sender,
        "sender_port": source_port,
        "receiver_address": receiver,
        "receiver_port": target_port,
        "direction": "orig" if by_originator else "resp",
        "transport": "tcp" if int(read.flows.proto[flow]) == _TCP else "udp",
        "component": facts.labels.components[int(facts.labels.component[flow])],
        "payload_type": pt if is_rtp else None,
        "codec": codec,
        "codec_basis": basis,
        "clock_rate": clock if is_rtp else None,
        "clock_basis": clock_basis,
        "packets": int(s["packets"]),
        "wire_bytes": int(s["wire"]),
        "payload_bytes": int(s["payload"]),
        **_rates(facts, number, s),
        "frames": frames if is_rtp else 0,
        "frames_per_second": round((frames - 1) * SECOND_NS / (last - first), 3)
        if frames > 1 and last > first
        else None,
        **keys,
        "expected": expected,
        "lost": lost,
        "loss": share(lost, expected),
        "duplicates": int(s["duplicates"]),
        "reordered": int(s["reordered"]),
        "refused": int(s["refused"]) if is_rtp else 0,
        "longest_burst_lost": int(s["longest_burst"]),
        "restarts": int(s["restarts"]),
        "jitter_ms": ms(float(s["jitter_sum"]) / max(jitters, 1), jitters),
        "max_jitter_ms": ms(float(s["jitter_max"]), jitters),
        "frame_jitter_ms": ms(float(s["frame_jitter_sum"]) / max(frame_jitters, 1), frame_jitters),
        "max_frame_jitter_ms": ms(float(s["frame_jitter_max"]), frame_jitters),
        "longest_silence_s": round(int(s["silence_ns"]) / SECOND_NS, 9),
        "first_ns": first,
        "last_ns": last,
        "reports": heard.count if heard is not None else 0,
        "reported_lost": heard.lost if heard is not None and told else None,
        "reported_loss": round(heard.fraction / 256, 6) if heard is not None and told else None,
        "reported_jitter_ms": round(1000 * heard.jitter / clock, 6) if heard is not None and told and clock else None,
        "sender_reports": read.reports.by_sender(ssrc, sender) if is_rtp else 0,
        "pids": list(read.streams.pids[number]),
        "cc_errors": int(s["ts_errors"]) if ts else None,
        **_whose(facts, number, lost),
    }


def _whose(facts: Facts, number: int, lost: int) -> dict[str, int | None]:
    """Which losses came together with others' (`tables.losses`), and when most."""
    losses = facts.losses
    if losses is None:
        return {"lost_with_others": None, "lost_alone": None, "worst_loss_ns": None}
    shared = min(int(losses.with_others[number]), lost)
    worst = losses.worst_ns(number) if lost else None
    return {"lost_with_others": shared, "lost_alone": lost - shared, "worst_loss_ns": worst}


def _codec(s: Any, agreed: Codec | None) -> tuple[str, str]:
    """(encoding name, how it is known). Zeros look like H.265, so that needs a key frame as well."""
    if int(s["kind"]) == KIND_TS:
        return "MP2T", "payload"
    if agreed is not None and agreed.codec:
        return agreed.codec, "sdp"
    pt = int(s["pt"])
    if pt in PAYLOAD_TYPES:
        return PAYLOAD_TYPES[pt][0], "static"
    if _taken(s) >= LOOKS_LIKE_PACKETS:
        for name, field in (("H264", "avc"), ("H265", "hevc")):
            if int(s[field]) >= LOOKS_LIKE * _taken(s) and (field == "avc" or s["hevc_keys"] > 0):
                return name, "payload"
    return "", ""


def _taken(s: Any) -> int:
    """Packets whose payload was looked at."""
    return int(s["packets"]) - int(s["duplicates"]) - int(s["refused"]) - int(s["restarts"])


def _clock(s: Any, agreed: Codec | None) -> tuple[int, str, bool]:
    """(ticks per second, how they are known, whether the jitter was measured with them)."""
    if int(s["kind"]) == KIND_TS:
        return 0, "", False
    used = int(s["clock"])
    if agreed is not None and agreed.clock:
        return agreed.clock, "sdp", agreed.clock == used
    basis = _CLOCK_BASES[int(s["clock_basis"])]
    if basis == "assumed" and _codec(s, None)[1] == "payload":
        basis = "payload"
    return used, basis, True


def _keys(s: Any, codec: str) -> dict[str, Any]:
    """Key frames and the mean time between them, where the codec shows them."""
    field = {"H264": "avc", "H265": "hevc"}.get(codec.upper())
    if field is None or int(s[field]) < LOOKS_LIKE * _taken(s):
        return {"key_frames": None, "key_frame_seconds": None}
    count = int(s[f"{field}_keys"])
    span = int(s[f"{field}_last_ns"]) - int(s[f"{field}_first_ns"])
    return {
        "key_frames": count,
        "key_frame_seconds": round(span / SECOND_NS / (count - 1), 6) if count > 1 and span > 0 else None,
    }


def _rates(facts: Facts, number: int, s: Any) -> dict[str, float]:
    """Mean, p95 and peaks. The seconds are those from the first packet's to the last one's, empty ones counted."""
    table = facts.read.streams
    low, high = np.searchsorted(table.bins["stream"], [number, number + 1])
    bins = table.bins[low:high]
    width = max(table.bin_width_ns, SECOND_NS)
    second = bins["bin_ns"] // width
    values = np.zeros(1, "i8")
    if len(bins):
        at = np.flatnonzero(np.concatenate(([True], second[1:] != second[:-1])))
        values = np.sort(np.add.reduceat(bins["wire"], at))
    first, last = int(s["first_ns"]), int(s["last_ns"])
    count = max(last // width - first // width + 1, len(values))
    to_bps = 8 * SECOND_NS / width
    return {
        "mean_bps": round(int(s["wire"]) * 8 * SECOND_NS / max(last - first, SECOND_NS), 3),
        "p95_bps": round(percentile(values, count, 0.95) * to_bps, 3),
        "peak_bps": round(float(values[-1]) * to_bps, 3),
        "peak_100ms_bps": round(float(s["tenth_most"]) * 8 * _TENTHS, 3),
    }
