"""Media streams: sequence, jitter, pictures and rates of each RTP source in each direction of a flow.

In: RTP headers with their arrival times (`follow_rtp`), datagrams of MPEG transport stream (`follow_ts`). Out: STREAM
and STREAM_BIN rows (`flows.stream_table`). A stream gets its row with the second packet of one SSRC and payload type; a
PROBE row keeps two packets until then, so that two sources in one direction are found, and the first packet is counted
too.
Whether it is a stream at all is judged at the end (`stream_table.is_stream`). Sources: RFC 3550 A.1, A.3, A.8.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.payload_types import CLOCKS, FITS_AVC, FITS_HEVC, KEY_AVC, KEY_HEVC
from classifier.flows.hashing import mix
from classifier.flows.sequence import ALL_CAME, DUPLICATE, LATE, REFUSED, RESTART, accept_number, leave_window
from classifier.flows.stream_table import (
    BIN_WIDTH,
    BIN_WIDTH_NS,
    CLOCK_ASSUMED,
    CLOCK_MEASURED,
    CLOCK_PAYLOAD,
    CLOCK_STATIC,
    KIND_RTP,
    KIND_TS,
    LOGGED_BINS,
    MAX_MISORDER,
    STREAMS,
    STREAMS_CAP,
    STREAMS_FULL,
)
from classifier.jit import MASK32, i64, inlined, kernel

_SECOND = 1_000_000_000
_NO_TYPE = 255
_LAST_CHECK = 8 * _SECOND
_VIDEO_CLOCK = 90_000
_USUAL_CLOCKS = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 90000)
_MOST_US = 0x7FFFFFFF


@inlined
def stream_hash(where: int, ssrc: int) -> int:
    """31-bit hash of a stream's key."""
    return mix(mix(0x9E3779B1, where & MASK32), ssrc) & 0x7FFFFFFF


@kernel
def find_stream(streams: Any, places: Any, where: int, ssrc: int, kind: int) -> int:
    """Row of a stream, -1 when there is none."""
    mask = len(places) - 1
    h = stream_hash(where, ssrc)
    at = h & mask
    while places[at] != 0:
        entry = i64(places[at])
        if entry >> 32 == h:
            s = streams[(entry & MASK32) - 1]
            if s["where"] == where and s["ssrc"] == ssrc and s["kind"] == kind:
                return (entry & MASK32) - 1
        at = (at + 1) & mask
    return -1


@kernel
def replace_streams(rows: Any, places: Any, n: int) -> None:
    """Enter rows 0..n-1 into an empty, larger array of places."""
    mask = len(places) - 1
    for row in range(n):
        h = stream_hash(i64(rows[row]["where"]), i64(rows[row]["ssrc"]))
        at = h & mask
        while places[at] != 0:
            at = (at + 1) & mask
        places[at] = h << 32 | (row + 1)


@kernel
def open_stream(
    streams: Any, places: Any, counts: Any, where: int, ssrc: int, kind: int, pt: int, ns: int, stamp: int
) -> int:
    """A fresh row, -1 when there are as many as there may be. The packets come after."""
    row = i64(counts[STREAMS])
    if row >= i64(counts[STREAMS_CAP]):
        return -1
    counts[STREAMS] = row + 1
    s = streams[row]
    s["where"] = where
    s["ssrc"] = ssrc
    s["kind"] = kind
    s["pt"] = pt
    s["first_ns"] = ns
    s["last_ns"] = ns
    s["bin_ns"] = ns
    s["any_pt"] = _NO_TYPE
    s["max_seq"] = -1
    s["bad_seq"] = -1
    s["clock_ns"] = ns
    s["clock_stamp"] = stamp
    if kind == KIND_RTP:
        s["clock"] = CLOCKS[pt]
        s["clock_basis"] = CLOCK_STATIC
        if CLOCKS[pt] == 0:
            s["clock"] = _VIDEO_CLOCK
            s["clock_basis"] = CLOCK_ASSUMED
            s["check_ns"] = _SECOND
    mask = len(places) - 1
    h = stream_hash(where, ssrc)
    at = h & mask
    while places[at] != 0:
        at = (at + 1) & mask
    places[at] = h << 32 | (row + 1)
    return row


@kernel
def settle_jitter(s: Any) -> None:
    """Take the open bin's jitter into the stream's, and into microseconds by the clock it was measured with."""
    jitter = s["bin_jitter"]
    if s["bin_jitters"] != 0:
        s["jitters"] += s["bin_jitters"]
        if jitter > s["jitter_max"]:
            s["jitter_max"] = jitter
        us = min(int(jitter * 1_000_000 / i64(s["clock"])), _MOST_US)
        if us > s["bin_jitter_us"]:
            s["bin_jitter_us"] = us
    s["bin_jitter"] = 0.0
    s["bin_jitters"] = 0


@kernel
def count_tenth(s: Any, ns: int, wire: int) -> None:
    """The fullest tenth of a second, where bins are wider than that."""
    offset = ns - i64(s["tenth_ns"])
    if offset < 0 or offset >= BIN_WIDTH_NS:
        s["tenth_ns"] = ns - ns % BIN_WIDTH_NS
        s["tenth_wire"] = 0
    s["tenth_wire"] += wire
    if s["tenth_wire"] > s["tenth_most"]:
        s["tenth_most"] = s["tenth_wire"]


@kernel
def close_stream_bin(streams: Any, logged: Any, counts: Any, row: int) -> None:
    """Append a stream's open time bin to the log."""
    s = streams[row]
    if s["bin_packets"] == 0:
        return
    at = i64(counts[LOGGED_BINS])
    counts[LOGGED_BINS] = at + 1
    settle_jitter(s)
    s["packets"] += s["bin_packets"]
    s["wire"] += s["bin_wire"]
    if counts[BIN_WIDTH] == BIN_WIDTH_NS and s["bin_wire"] > s["tenth_most"]:
        s["tenth_most"] = s["bin_wire"]
    b = logged[at]
    b["bin_ns"] = s["bin_ns"]
    b["wire"] = s["bin_wire"]
    b["packets"] = s["bin_packets"]
    b["lost"] = s["bin_lost"]
    b["jitter_us"] = s["bin_jitter_us"]
    b["stream"] = row
    s["bin_wire"] = 0
    s["bin_packets"] = 0
    s["bin_lost"] = 0
    s["bin_jitter_us"] = 0


@inlined
def count_packet(streams: Any, logged: Any, counts: Any, row: int, ns: int, wire: int, payload: int) -> None:
    """What every packet of a stream adds: sums, times, the time bin."""
    s = streams[row]
    width = i64(counts[BIN_WIDTH])
    offset = ns - i64(s["bin_ns"])
    if s["bin_packets"] == 0 or offset < 0 or offset >= width:
        close_stream_bin(streams, logged, counts, row)
        s["bin_ns"] = ns - ns % width
    s["bin_packets"] += 1
    s["bin_wire"] += wire
    if width != BIN_WIDTH_NS:
        count_tenth(s, ns, wire)
    gap = ns - i64(s["last_ns"])
    if gap > 0:
        s["last_ns"] = ns
        if gap > i64(s["silence_ns"]):
            s["silence_ns"] = gap
    elif ns < i64(s["first_ns"]):
        s["first_ns"] = ns
    s["payload"] += payload


@inlined
def apart(transit: int, before: int) -> int:
    """How far two transit times are apart, modulo 2^32."""
    d = (transit - before) & MASK32
    return min(d, MASK32 + 1 - d)


@kernel
def change_clock(s: Any, clock: int) -> None:
    """Another clock: what was measured with the old one means nothing."""
    settle_jitter(s)
    s["clock"] = clock
    s["jitter"] = 0.0
    s["jitter_sum"] = 0.0
    s["jitter_max"] = 0.0
    s["jitters"] = 0
    s["frame_jitter"] = 0.0
    s["frame_jitter_sum"] = 0.0
    s["frame_jitter_max"] = 0.0
    s["frame_jitters"] = 0
    s["in_transit"] = 0


@kernel
def check_clock(s: Any, ns: int, stamp: int) -> None:
    """Tell the clock of a dynamic payload type: video by its payload, others by time stamps against arrival."""
    packets = i64(s["received"]) - i64(s["duplicates"])
    if 10 * max(i64(s["avc"]), i64(s["hevc"])) >= 9 * packets:
        s["clock_basis"] = CLOCK_PAYLOAD
        s["check_ns"] = 0
        return
    span = ns - i64(s["clock_ns"])
    ticks = (stamp - i64(s["clock_stamp"])) & MASK32
    for clock in _USUAL_CLOCKS:
        should = span // 1000 * clock // 1_000_000
        if abs(ticks - should) * 25 <= should:
            if clock != i64(s["clock"]):
                change_clock(s, clock)
            s["clock_basis"] = CLOCK_MEASURED
            s["check_ns"] = 0
            return
    if i64(s["check_ns"]) >= _LAST_CHECK:
        s["check_ns"] = 0
    else:
        s["check_ns"] = 2 * i64(s["check_ns"])


@inlined
def measure_jitter(s: Any, ns: int, stamp: int, new_frame: int) -> None:
    """Interarrival jitter (A.8) with this packet; and over first packets of time stamps, when it is one."""
    clock = i64(s["clock"])
    transit = (ns // _SECOND * clock + ns % _SECOND * clock // _SECOND - stamp) & MASK32
    known = i64(s["in_transit"])
    if known & 1 != 0:
        jitter = s["jitter"] + (apart(transit, i64(s["transit"])) - s["jitter"]) / 16
        s["jitter"] = jitter
        s["jitter_sum"] += jitter
        s["bin_jitters"] += 1
        if jitter > s["bin_jitter"]:
            s["bin_jitter"] = jitter
    s["transit"] = transit
    if new_frame != 0:
        if known & 2 != 0:
            jitter = s["frame_jitter"] + (apart(transit, i64(s["frame_transit"])) - s["frame_jitter"]) / 16
            s["frame_jitter"] = jitter
            s["frame_jitter_sum"] += jitter
            s["frame_jitters"] += 1
            if jitter > s["frame_jitter_max"]:
                s["frame_jitter_max"] = jitter
        s["frame_transit"] = transit
        known |= 2
    s["in_transit"] = known | 1


@kernel
def note_picture(s: Any, ns: int, stamp: int, picture: int) -> None:
    """Count what the payload begins with, read as H.264 and as H.265; a key frame counts once per time stamp."""
    if picture & FITS_AVC:
        s["avc"] += 1
        if picture & KEY_AVC and (s["avc_keys"] == 0 or i64(s["avc_stamp"]) != stamp):
            if s["avc_keys"] == 0:
                s["avc_first_ns"] = ns
            s["avc_last_ns"] = ns
            s["avc_stamp"] = stamp
            s["avc_keys"] += 1
    if picture & FITS_HEVC:
        s["hevc"] += 1
        if picture & KEY_HEVC and (s["hevc_keys"] == 0 or i64(s["hevc_stamp"]) != stamp):
            if s["hevc_keys"] == 0:
                s["hevc_first_ns"] = ns
            s["hevc_last_ns"] = ns
            s["hevc_stamp"] = stamp
            s["hevc_keys"] += 1


@inlined
def count_rtp(
    streams: Any,
    logged: Any,
    counts: Any,
    row: int,
    kind: int,
    seq: int,
    stamp: int,
    ns: int,
    wire: int,
    payload: int,
    picture: int,
) -> int:
    """Count one packet of a stream. `kind`: its payload type; `picture`: what its payload begins with.

    Returns what `accept_number` says of it.
    """
    count_packet(streams, logged, counts, row, ns, wire, payload)
    s = streams[row]
    if kind == i64(s["any_pt"]) and seq == (i64(s["any_seq"]) + 1) & 0xFFFF:
        if (stamp - i64(s["any_stamp"])) & MASK32 < 0x80000000:
            s["hits"] += 1
    s["any_pt"] = kind
    s["any_seq"] = seq
    s["any_stamp"] = stamp
    taken = accept_number(s, seq)
    own = kind == i64(s["pt"])
    if own:
        s["pt_votes"] += 1
    elif s["pt_votes"] > 0:
        s["pt_votes"] -= 1
    else:  # most packets are of another type than the first ones
        own = True
        s["pt"] = kind
        s["pt_votes"] = 1
        if CLOCKS[kind] != 0 and CLOCKS[kind] != i64(s["clock"]):
            change_clock(s, i64(CLOCKS[kind]))
        if CLOCKS[kind] != 0:
            s["clock_basis"] = CLOCK_STATIC
            s["check_ns"] = 0
    if taken in (REFUSED, DUPLICATE):
        return taken
    new_frame = 0
    if taken == RESTART:
        s["in_transit"] = 0
        s["jitter"] = 0.0
        s["frame_jitter"] = 0.0
    if taken != LATE:
        if s["frames"] == 0 or taken == RESTART or stamp != i64(s["last_stamp"]):
            s["frames"] += 1
            new_frame = 1
        s["last_stamp"] = stamp
    if picture != 0:
        note_picture(s, ns, stamp, picture)
    if not own:
        return taken
    if s["check_ns"] != 0 and taken != LATE and ns - i64(s["clock_ns"]) >= i64(s["check_ns"]):
        check_clock(s, ns, stamp)
    measure_jitter(s, ns, stamp, new_frame)
    return taken


@kernel
def follow_rtp(
    probes: Any,
    at: int,
    streams: Any,
    places: Any,
    logged: Any,
    counts: Any,
    where: int,
    ssrc: int,
    kind: int,
    seq: int,
    stamp: int,
    ns: int,
    wire: int,
    payload: int,
    picture: int,
) -> int:
    """Count a packet that may be RTP in its stream; returns the stream's row, -1 for none yet and for a copy.

    `at`: the PROBE row of this direction of the flow; `where`: flow row and side; `wire` and `payload`: bytes.
    """
    probe = probes[at]
    row = i64(probe["stream"]) - 1
    if row < 0 or streams[row]["ssrc"] != ssrc or streams[row]["kind"] != KIND_RTP:
        row = find_stream(streams, places, where, ssrc, KIND_RTP) if probe["streams"] != 0 else -1
        if row < 0:
            row = try_stream(
                probes, at, streams, places, logged, counts, where, ssrc, kind, seq, stamp, ns, wire, payload, picture
            )
            if row < 0:
                return -1
        probe["stream"] = row + 1
    taken = count_rtp(streams, logged, counts, row, kind, seq, stamp, ns, wire, payload, picture)
    return -1 if taken == DUPLICATE else row


@kernel
def try_stream(
    probes: Any,
    at: int,
    streams: Any,
    places: Any,
    logged: Any,
    counts: Any,
    where: int,
    ssrc: int,
    kind: int,
    seq: int,
    stamp: int,
    ns: int,
    wire: int,
    payload: int,
    picture: int,
) -> int:
    """A new stream when one of the last two unknown sources comes again; else the packet is kept, -1 is returned."""
    probe = probes[at]
    for k in range(2):
        if probe["kept"] >> k & 1 == 0 or i64(probe["ssrcs"][k]) != ssrc or i64(probe["kinds"][k]) != kind:
            continue
        first_ns, first_stamp = i64(probe["times"][k]), i64(probe["stamps"][k])
        row = open_stream(streams, places, counts, where, ssrc, KIND_RTP, kind, first_ns, first_stamp)
        if row < 0:
            counts[STREAMS_FULL] += 1
            return -1
        probe["streams"] = 1
        probe["kept"] = i64(probe["kept"]) & ~(1 << k)
        sizes, payloads = i64(probe["wires"][k]), i64(probe["payloads"][k])
        seqs, pictures = i64(probe["seqs"][k]), i64(probe["pictures"][k])
        count_rtp(streams, logged, counts, row, kind, seqs, first_stamp, first_ns, sizes, payloads, pictures)
        return row
    k = 0 if probe["kept"] & 1 == 0 or (probe["kept"] & 2 != 0 and probe["turn"] == 0) else 1
    probe["turn"] = 1 - k
    probe["kept"] = i64(probe["kept"]) | 1 << k
    probe["ssrcs"][k] = ssrc
    probe["stamps"][k] = stamp
    probe["times"][k] = ns
    probe["wires"][k] = wire
    probe["payloads"][k] = payload
    probe["seqs"][k] = seq
    probe["kinds"][k] = kind
    probe["pictures"][k] = picture
    return -1


@kernel
def follow_ts(
    probes: Any,
    at: int,
    streams: Any,
    places: Any,
    logged: Any,
    counts: Any,
    where: int,
    ns: int,
    wire: int,
    payload: int,
) -> int:
    """Count a datagram of transport stream without RTP in its stream; returns the stream's row, -1 for no room."""
    probe = probes[at]
    row = i64(probe["stream"]) - 1
    if row < 0 or streams[row]["kind"] != KIND_TS:
        row = find_stream(streams, places, where, 0, KIND_TS) if probe["streams"] != 0 else -1
        if row < 0:
            row = open_stream(streams, places, counts, where, 0, KIND_TS, 0, ns, 0)
            if row < 0:
                counts[STREAMS_FULL] += 1
                return -1
            probe["streams"] = 1
        probe["stream"] = row + 1
    count_packet(streams, logged, counts, row, ns, wire, payload)
    return row


@kernel
def close_streams(media: Any) -> None:
    """At the end: append the open time bins, and let the windows' last numbers say whether they came."""
    streams, _, logged, counts = media
    for row in range(i64(counts[STREAMS])):
        close_stream_bin(streams, logged, counts, row)
        s = streams[row]
        if s["kind"] == KIND_RTP:
            leave_window(s, MAX_MISORDER)
            s["seen0"] = ALL_CAME  # closed once
            s["seen1"] = ALL_CAME
