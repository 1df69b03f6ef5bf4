"""Media inside an RTSP connection: frames of `$`, channel, length and an RTP or RTCP packet (RFC 2326, 10.12).

In: segments of RTSP connections (FOLLOWED rows) with the buffer their payloads lie in. Out: the RTP headers (FOUND_RTP
rows, which `flows.streams` counts) and RTCP packets (FOUND_RTCP) in the order of the byte stream. Next: `flows.tally`.

Frames begin anywhere in a segment, so each direction is followed by its sequence numbers, bodies being stepped over. A
segment that comes early waits for the missing one (bounded), as in the receiver; one that the receiver acknowledged
will not come. Behind a gap, and behind the messages between frames, the way is found again at a `$` with a frame of RTP
or RTCP that the next frame follows at once, or whose source is known already. A frame's time is that of the segment
that brought the last byte of its header.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.sniff import picture_kind
from classifier.flows.framing_table import (
    FOUND,
    FRAMINGS,
    FRAMINGS_CAP,
    FRAMINGS_FULL,
    HEAD,
    HOLD_BYTES,
    HOLD_PARTS,
    MAX_REPORTS,
    MOST_FOUND,
    REPORT_BYTES,
    REPORT_ROOM,
    REPORTS,
    REPORTS_LEFT,
    REPORTS_UNSEEN,
)
from classifier.flows.state import PROBES, PROBES_CAP
from classifier.flows.streams import follow_rtp
from classifier.flows.tcp import ahead_of
from classifier.jit import MASK32, i64, inlined, kernel

_DOLLAR = 0x24
_CHANNELS = 16  # of a frame that is believed without context
_SHORTEST = HEAD - 4  # so that `head` is full when it is judged

# bits of `known`
BEGUN = 1
SYNCED = 2  # `skip` and `head` are right
CANDIDATE = 4  # a first frame was found: the next one decides
KNOWN_SOURCE = 8  # `ssrc` is set


@inlined
def is_report(second: int) -> bool:
    """Whether the second byte of a packet is an RTCP type (RFC 5761, 4)."""
    return 192 <= second <= 223


@kernel
def may_be_frame(f: Any, strict: bool) -> bool:
    """Whether the bytes so far in `head` may begin a frame; `strict`: without knowing that one begins here."""
    head = f["head"]
    have = i64(f["have"])
    if head[0] != _DOLLAR:
        return False
    if not strict:
        return True
    if have >= 2 and head[1] >= _CHANNELS:
        return False
    if have >= 4 and i64(head[2]) << 8 | i64(head[3]) < _SHORTEST:
        return False
    if have >= 5 and i64(head[4]) >> 6 != 2:
        return False
    if have >= 6:
        second = i64(head[5])
        length = i64(head[2]) << 8 | i64(head[3])
        if is_report(second):
            return 200 <= second <= 207 and length % 4 == 0
        return not 35 <= second & 0x7F < 96
    return True


@kernel
def shift_head(f: Any) -> None:
    """The frame does not begin with the first byte in `head`: go on from the next `$`."""
    head = f["head"]
    have = i64(f["have"])
    at = 1
    while at < have and head[at] != _DOLLAR:
        at += 1
    for k in range(at, have):
        head[k - at] = head[k]
    f["have"] = have - at


@kernel
def emit_rtp(framing: Any, f: Any, head: Any, ns: int, picture: int) -> None:
    """Hand over the RTP header of a frame."""
    _, _, _, found, _, _, state = framing
    length = i64(head[2]) << 8 | i64(head[3])
    at = i64(state[FOUND])
    state[FOUND] = at + 1
    out = found[at]
    ssrc = i64(head[12]) << 24 | i64(head[13]) << 16 | i64(head[14]) << 8 | i64(head[15])
    out["where"] = f["where"]
    out["ns"] = ns
    out["ssrc"] = ssrc
    out["stamp"] = i64(head[8]) << 24 | i64(head[9]) << 16 | i64(head[10]) << 8 | i64(head[11])
    out["wire"] = length + 4
    out["payload"] = length
    out["probe"] = f["probe"]
    out["seq"] = i64(head[6]) << 8 | i64(head[7])
    out["kind"] = i64(head[5]) & 0x7F
    out["picture"] = picture
    f["frames"] += 1
    f["ssrc"] = ssrc
    f["known"] = i64(f["known"]) | KNOWN_SOURCE


@kernel
def emit_report(framing: Any, f: Any, src: Any, at: int, end: int, ns: int, packet: int) -> None:
    """Hand over an RTCP packet: what `head` holds of it and `src[at:end]`; only when it is there whole."""
    _, _, _, _, reports, report_bytes, state = framing
    head = f["head"]
    have = i64(f["have"])
    length = i64(head[2]) << 8 | i64(head[3])
    number = i64(state[REPORTS])
    start = i64(state[REPORT_BYTES])
    rest = length - (have - 4)
    if rest > end - at or state[REPORTS_LEFT] <= 0 or number >= MAX_REPORTS or start + length > REPORT_ROOM:
        state[REPORTS_UNSEEN] += 1
        return
    state[REPORTS_LEFT] -= 1
    state[REPORTS] = number + 1
    state[REPORT_BYTES] = start + length
    for k in range(4, have):
        report_bytes[start + k - 4] = head[k]
    for k in range(rest):
        report_bytes[start + have - 4 + k] = src[at + k]
    out = reports[number]
    out["where"] = f["where"]
    out["ns"] = ns
    out["start"] = start
    out["length"] = length
    out["packet"] = packet
    out["channel"] = head[1]


@kernel
def picture_of(f: Any, src: Any, at: int, end: int) -> int:
    """What the payload behind `head` begins with, as far as `src[at:end]` shows."""
    head = f["head"]
    if i64(head[5]) & 0x7F < 96 or i64(head[4]) & 0x10 != 0:
        return 0
    begin = at + 4 * (i64(head[4]) & 0x0F)
    return i64(picture_kind(src, begin, min(end, at + i64(f["skip"]))))


@kernel
def take_frame(framing: Any, f: Any, src: Any, at: int, end: int, ns: int, packet: int) -> None:
    """`head` holds what is to be known of a frame, whose rest follows from `src[at]` on."""
    head = f["head"]
    have = i64(f["have"])
    known = i64(f["known"])
    length = i64(head[2]) << 8 | i64(head[3])
    f["skip"] = length - (have - 4)
    rtp = have == HEAD and i64(head[4]) >> 6 == 2 and not is_report(i64(head[5]))
    picture = 0
    if rtp:
        picture = picture_of(f, src, at, end)
    if known & SYNCED == 0:
        ssrc = i64(head[12]) << 24 | i64(head[13]) << 16 | i64(head[14]) << 8 | i64(head[15])
        if known & CANDIDATE:
            candidate = f["candidate"]
            if not is_report(i64(candidate[5])):
                emit_rtp(framing, f, candidate, i64(f["candidate_ns"]), i64(f["picture"]))
        elif not (rtp and known & KNOWN_SOURCE and f["ssrc"] == ssrc):
            candidate = f["candidate"]
            for k in range(HEAD):
                candidate[k] = head[k]
            f["candidate_ns"] = ns
            f["picture"] = picture
            f["known"] = known | CANDIDATE
            f["have"] = 0
            return
        f["known"] = (i64(f["known"]) | SYNCED) & ~CANDIDATE
    if rtp:
        emit_rtp(framing, f, head, ns, picture)
    elif have >= 6 and i64(head[4]) >> 6 == 2 and is_report(i64(head[5])):
        emit_report(framing, f, src, at, end, ns, packet)
    f["have"] = 0


@kernel
def read_frames(framing: Any, f: Any, src: Any, at: int, end: int, ns: int, packet: int) -> None:
    """Go through the next bytes of a direction, `src[at:end]`."""
    head = f["head"]
    while at < end:
        if f["skip"] > 0:
            step = min(i64(f["skip"]), end - at)
            f["skip"] -= step
            at += step
            continue
        have = i64(f["have"])
        head[have] = src[at]
        have += 1
        at += 1
        f["have"] = have
        while f["have"] > 0 and not may_be_frame(f, i64(f["known"]) & SYNCED == 0):
            if i64(f["known"]) & SYNCED:
                f["lost_way"] += 1
            f["known"] = i64(f["known"]) & ~(SYNCED | CANDIDATE)
            shift_head(f)
        have = i64(f["have"])
        if have >= 4:
            length = i64(head[2]) << 8 | i64(head[3])
            if have >= min(4 + length, HEAD):
                take_frame(framing, f, src, at, end, ns, packet)


@kernel
def pass_over(f: Any, count: int) -> None:
    """`count` bytes of a direction will never be seen."""
    f["lost_bytes"] += count
    if f["have"] == 0 and i64(f["skip"]) >= count:
        f["skip"] -= count
        return
    f["skip"] = 0
    f["have"] = 0
    if i64(f["known"]) & SYNCED:
        f["lost_way"] += 1
    f["known"] = i64(f["known"]) & ~(SYNCED | CANDIDATE)


@kernel
def hold_part(framing: Any, f: Any, seq: int, src: Any, at: int, end: int, ns: int) -> bool:
    """Keep an early segment; False when there is no room for it."""
    _, holds, held, _, _, _, _ = framing
    if f["hold"] == 0:
        for k in range(len(holds)):
            if holds[k]["used"] == 0:
                holds[k]["used"] = 1
                holds[k]["parts"] = 0
                holds[k]["base"] = f["next"]
                f["hold"] = k + 1
                break
        if f["hold"] == 0:
            return False
    place = i64(f["hold"]) - 1
    h = holds[place]
    start = ahead_of(seq, i64(h["base"]))
    stop = start + end - at
    if start < 0 or stop > HOLD_BYTES:
        return False
    starts, ends, times = h["starts"], h["ends"], h["times"]
    count = i64(h["parts"])
    first = 0
    while first < count and i64(ends[first]) < start:
        first += 1
    last = first  # parts first..last-1 touch the new one
    low, high, time = start, stop, ns
    while last < count and i64(starts[last]) <= stop:
        low = min(low, i64(starts[last]))
        high = max(high, i64(ends[last]))
        time = min(time, i64(times[last]))
        last += 1
    if last == first and count == HOLD_PARTS:
        return False
    moved = 1 - (last - first)
    if moved > 0:
        for k in range(count - 1, last - 1, -1):
            starts[k + moved] = starts[k]
            ends[k + moved] = ends[k]
            times[k + moved] = times[k]
    elif moved < 0:
        for k in range(last, count):
            starts[k + moved] = starts[k]
            ends[k + moved] = ends[k]
            times[k + moved] = times[k]
    h["parts"] = count + moved
    starts[first] = low
    ends[first] = high
    times[first] = time
    for k in range(end - at):
        held[place, start + k] = src[at + k]
    return True


@kernel
def drain_hold(framing: Any, f: Any, jump: bool, packet: int) -> None:
    """Read what waited and is next now; with `jump` also over the first gap."""
    _, holds, held, _, _, _, _ = framing
    place = i64(f["hold"]) - 1
    if place < 0:
        return
    h = holds[place]
    starts, ends, times = h["starts"], h["ends"], h["times"]
    while h["parts"] > 0:
        next_ = ahead_of(i64(f["next"]), i64(h["base"]))
        low, high = i64(starts[0]), i64(ends[0])
        if low > next_:
            if not jump:
                return
            jump = False
            pass_over(f, low - next_)
            next_ = low
        if high > next_:
            read_frames(framing, f, held[place], next_, high, i64(times[0]), packet)
            f["next"] = (i64(h["base"]) + high) & MASK32
        count = i64(h["parts"]) - 1
        h["parts"] = count
        for k in range(count):
            starts[k] = starts[k + 1]
            ends[k] = ends[k + 1]
            times[k] = times[k + 1]
    h["used"] = 0
    f["hold"] = 0


@kernel
def open_framing(framing: Any, side: Any, where: int, state: Any) -> int:
    """A FRAMING row for a direction, with a PROBE row for its streams; 0 when there is no room."""
    rows, _, _, _, _, _, own = framing
    at = i64(own[FRAMINGS])
    probe = i64(state[PROBES])
    if at >= i64(own[FRAMINGS_CAP]) or probe + 2 > i64(state[PROBES_CAP]):
        own[FRAMINGS_FULL] += 1
        return 0
    own[FRAMINGS] = at + 1
    state[PROBES] = probe + 2
    side["framing"] = at
    rows[at]["where"] = where
    rows[at]["probe"] = probe
    return at


@kernel
def follow_segment(framing: Any, f: Any, buffer: Any, packets: Any, i: int, acked: int) -> None:
    """Take one segment of a direction. `acked`: what the receiver had acknowledged when it came, -1 = not known."""
    p = packets[i]
    seq = i64(p["seq"])
    at = i64(p["payload_at"])
    end = at + i64(p["payload_captured"])
    cut = i64(p["payload"]) - i64(p["payload_captured"])
    ns = i64(p["ts_ns"])
    if i64(f["known"]) & BEGUN == 0:
        f["known"] = BEGUN
        f["next"] = seq
    early = ahead_of(seq, i64(f["next"]))
    if early < -HOLD_BYTES * 8 or early > HOLD_BYTES * 8:  # numbers of another connection, or most is missing
        while f["hold"] != 0:
            drain_hold(framing, f, True, i)
        pass_over(f, HOLD_BYTES)
        f["next"] = seq
        early = 0
    while early > 0:
        arrived = acked >= 0 and ahead_of(acked, i64(f["next"])) > 0
        if cut == 0 and not arrived and hold_part(framing, f, seq, buffer, at, end, ns):
            return
        if f["hold"] != 0:
            drain_hold(framing, f, True, i)
        else:
            pass_over(f, early)
            f["next"] = seq
        early = ahead_of(seq, i64(f["next"]))
    known = -early
    if known < end - at:
        read_frames(framing, f, buffer, at + known, end, ns, i)
        f["next"] = (seq + end - at) & MASK32
        known = end - at
    if cut > 0 and known < end - at + cut:
        pass_over(f, end - at + cut - known)
        f["next"] = (seq + end - at + cut) & MASK32
    drain_hold(framing, f, False, i)


@kernel
def follow_interleaved(
    buffer: Any, packets: Any, followed: Any, first: int, n: int, tcp: Any, framing: Any, state: Any
) -> int:
    """Take segments `followed[first:n]`; returns where to go on when the rows for what is found are full.

    There is room for a FRAMING row and two PROBE rows for each of them, or the caps are reached.
    """
    rows, _, _, found, _, _, own = framing
    own[FOUND] = 0
    own[REPORTS] = 0
    own[REPORT_BYTES] = 0
    for k in range(first, n):
        if i64(own[FOUND]) + MOST_FOUND > len(found):
            return k
        item = followed[k]
        side = tcp[item["tcp"]]
        at = i64(side["framing"])
        if at == 0:
            at = open_framing(framing, side, i64(item["flow"]) * 2 + i64(item["side"]), state)
            if at == 0:
                continue
        follow_segment(framing, rows[at], buffer, packets, i64(item["packet"]), i64(item["acked"]))
    return n


@kernel
def end_interleaved(framing: Any, first: int) -> int:
    """At the end: read what still waits in rows `first` and later; returns where to go on, as above."""
    rows, _, _, found, _, _, own = framing
    own[FOUND] = 0
    own[REPORTS] = 0
    own[REPORT_BYTES] = 0
    for at in range(first, i64(own[FRAMINGS])):
        if i64(own[FOUND]) + MOST_FOUND > len(found):
            return at
        while rows[at]["hold"] != 0:
            drain_hold(framing, rows[at], True, -1)
    return i64(own[FRAMINGS])


@kernel
def count_found(framing: Any, first: int, n: int, probes: Any, media: Any) -> None:
    """Count the RTP headers `found[first:n]` in their streams."""
    _, _, _, found, _, _, _ = framing
    streams, places, logged, counts = media
    for k in range(first, n):
        r = found[k]
        follow_rtp(
            probes,
            i64(r["probe"]),
            streams,
            places,
            logged,
            counts,
            i64(r["where"]),
            i64(r["ssrc"]),
            i64(r["kind"]),
            i64(r["seq"]),
            i64(r["stamp"]),
            i64(r["ns"]),
            i64(r["wire"]),
            i64(r["payload"]),
            i64(r["picture"]),
        )
