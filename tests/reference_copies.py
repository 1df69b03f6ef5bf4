"""Slow twin of `flows.copies`: what of a list of frames is there again, larger than a network carries, out of time.

Written from the frames' bytes (Ethernet, at most one VLAN tag, IPv4 or IPv6 without options, TCP, UDP or ICMP).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """One frame as a capture has it; `capture`: number of the file."""

    ts_ns: int
    frame: bytes
    capture: int = 0


@dataclass(frozen=True)
class Read:
    """What of a frame its copies share, and what tells them apart."""

    shared: tuple[object, ...] | None  # None: not judged
    ttl: int
    link: bytes
    wire: int
    ip: int
    macs: tuple[bytes, bytes]
    tagged: bool
    segments: int


def read(frame: bytes) -> Read:
    macs = (frame[6:12], frame[:6])
    tagged = frame[12:14] == b"\x81\x00"
    at = 18 if tagged else 14
    kind = frame[at - 2 : at]
    if kind == b"\x08\x00":
        total, ident, protocol = int.from_bytes(frame[at + 2 : at + 4], "big"), frame[at + 4 : at + 6], frame[at + 9]
        header, ttl, ends = 20, frame[at + 8], frame[at + 12 : at + 20]
    elif kind == b"\x86\xdd":
        total, ident, protocol = 40 + int.from_bytes(frame[at + 4 : at + 6], "big"), b"\0\0", frame[at + 6]
        header, ttl, ends = 40, frame[at + 7], frame[at + 8 : at + 40]
    else:
        return Read(None, 0, frame[:at], len(frame), 0, macs, tagged, 0)
    upper = frame[at + header : at + total]
    length = (upper[12] >> 4) * 4 if protocol == 6 else 8
    shared = (kind, total, ident, protocol, ends, upper[:length], upper[length : length + 64])
    numbered = protocol == 17 and len(upper) >= 20 and upper[8] >> 6 == 2  # RTP
    unknown = ident == b"\0\0" and not numbered
    payload = max(len(upper) - length, 1)
    return Read(None if unknown else shared, ttl, frame[:at], len(frame), total, macs, tagged, -(-payload // 1448))


@dataclass
class Sums:
    packets: int = 0
    judged: int = 0
    exact: int = 0
    exact_wire: int = 0
    relinked: int = 0
    routed: int = 0
    routed_wire: int = 0
    across: int = 0
    first_copy: tuple[int, int] = (0, 0)
    giants: int = 0
    giant_segments: int = 0
    largest: int = 0
    beyond_jumbo: int = 0


def count(frames: list[Seen]) -> Sums:
    """The sums over frames in reading order."""
    sums = Sums(packets=len(frames))
    all_read = [read(seen.frame) for seen in frames]
    records = [0] * (1 + max((seen.capture for seen in frames), default=0))
    for at, (seen, item) in enumerate(zip(frames, all_read, strict=True)):
        records[seen.capture] += 1
        if item.ip > 1500:
            sums.giants += 1
            sums.giant_segments += item.segments
            sums.largest = max(sums.largest, item.ip)
            sums.beyond_jumbo += item.ip > 9216
        if item.shared is None:
            continue
        sums.judged += 1
        mates = [
            (all_read[k].ttl == item.ttl, all_read[k].link, frames[k].capture)
            for k in range(at - 1, max(at - 11, -1), -1)
            if all_read[k].shared == item.shared and abs(frames[k].ts_ns - seen.ts_ns) <= 5_000_000
        ]
        if not mates:
            continue
        same, link, capture = next((mate for mate in mates if mate[0]), mates[0])
        if not sums.exact + sums.routed:
            sums.first_copy = (seen.capture, records[seen.capture])
        if same:
            sums.exact += 1
            sums.exact_wire += item.wire
            sums.relinked += link != item.link
        else:
            sums.routed += 1
            sums.routed_wire += item.wire
        sums.across += capture != seen.capture
    return sums


def events(frames: list[Seen]) -> list[tuple[int, int, int]]:
    """(1: step back of its file, 2: gap; time before; time) of steps of 100 ms and gaps of 10 s and more."""
    last: dict[int, int] = {}
    latest: int | None = None
    found = []
    for seen in frames:
        before = last.get(seen.capture)
        if before is not None and before - seen.ts_ns > 100_000_000:
            found.append((1, before, seen.ts_ns))
        elif latest is not None and seen.ts_ns - latest > 10_000_000_000:
            found.append((2, latest, seen.ts_ns))
        last[seen.capture] = seen.ts_ns
        latest = seen.ts_ns if latest is None else max(latest, seen.ts_ns)
    return found


def small_frames(frames: list[Seen]) -> dict[bytes, tuple[int, int]]:
    """Per sender of frames that Ethernet pads: (without padding, with it)."""
    out: dict[bytes, tuple[int, int]] = {}
    for seen in frames:
        item = read(seen.frame)
        if 0 < item.ip < 42 and not item.tagged:
            bare, padded = out.get(item.macs[0], (0, 0))
            short = item.wire < 56
            out[item.macs[0]] = (bare + short, padded + (not short))
    return out
