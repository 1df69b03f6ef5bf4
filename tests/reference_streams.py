"""Slow twin of the stream kernels: `evidence.rtp.Sequence` and `Jitter` over all packets of each source."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from classifier.decode.payload_types import CLOCKS
from classifier.evidence.rtp import SEQ_MOD, Jitter, Sequence, guess_h264, guess_h265

WINDOW = 100


@dataclass(frozen=True)
class Packet:
    """One RTP packet of a direction."""

    ssrc: int
    kind: int
    seq: int
    stamp: int
    ns: int
    wire: int = 60
    body: bytes = b""


@dataclass
class Stream:
    """Everything the kernel says of a source, from lists of all that was there."""

    ssrc: int
    packets: list[Packet] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        numbers = Sequence()
        pt, votes = self.packets[0].kind, 0
        clock = CLOCKS[pt] or 90_000
        each, frame = Jitter(clock), Jitter(clock)
        each_all: list[float] = []
        frame_all: list[float] = []
        duplicates = reordered = frames = hits = 0
        last_stamp = -1
        highest_us = 0  # over all clocks
        runs: list[set[int]] = []  # extended numbers that came, per run
        bounds: list[tuple[int, int]] = []
        previous: Packet | None = None
        for packet in self.packets:
            if previous is not None and packet.kind == previous.kind and packet.seq == (previous.seq + 1) % SEQ_MOD:
                hits += (packet.stamp - previous.stamp) % (1 << 32) < 1 << 31
            previous = packet
            before = (numbers.restarts, numbers.duplicates, numbers.reordered)
            accepted = numbers.add(packet.seq)
            restarted = numbers.restarts > before[0]
            began = restarted or not runs
            repeated = accepted and not began and numbers.duplicates > before[1]
            late = accepted and not began and numbers.reordered > before[2]
            if restarted:
                duplicates, reordered = duplicates + before[1], reordered + before[2]
            if began:
                runs.append({numbers.base_seq})
                bounds.append((numbers.base_seq, numbers.base_seq))
            if accepted:
                top = numbers.cycles + numbers.max_seq
                at = top - (numbers.max_seq - packet.seq) % SEQ_MOD if late or repeated else top
                runs[-1].add(at)
                bounds[-1] = (numbers.base_seq, top)
            own = packet.kind == pt
            if own:
                votes += 1
            elif votes:
                votes -= 1
            else:
                own, pt, votes = True, packet.kind, 1
                if CLOCKS[pt] not in (0, clock):
                    clock = CLOCKS[pt]
                    each, frame, each_all, frame_all = Jitter(clock), Jitter(clock), [], []
            if repeated or not accepted:
                continue
            if restarted:
                each, frame = Jitter(clock), Jitter(clock)
            new_frame = not late and (frames == 0 or restarted or packet.stamp != last_stamp)
            frames += new_frame
            if not late:
                last_stamp = packet.stamp
            if own:
                _add(each, each_all, packet)
                highest_us = max(highest_us, int(each.ticks * 1_000_000 / clock))
                if new_frame:
                    _add(frame, frame_all, packet)
        missing = [
            [n for n in range(low, high + 1) if n not in run] for run, (low, high) in zip(runs, bounds, strict=True)
        ]
        return {
            "packets": len(self.packets),
            "wire": sum(packet.wire for packet in self.packets),
            "first_ns": min(packet.ns for packet in self.packets),
            "last_ns": max(packet.ns for packet in self.packets),
            "silence_ns": _silence(self.packets),
            "tenth_most": _fullest_tenth(self.packets),
            "highest_us": highest_us,
            "hits": hits,
            "pt": pt,
            "clock": clock,
            "received": numbers.received,
            "refused": numbers.refused,
            "restarts": numbers.restarts,
            "earlier_expected": numbers.earlier_expected,
            "earlier_received": numbers.earlier_received,
            "run_expected": numbers.expected,
            "duplicates": duplicates + numbers.duplicates,
            "reordered": reordered + numbers.reordered,
            "longest_burst": max((_longest(run) for run in missing), default=0),
            "lost_over_time": sum(map(len, missing)),
            "frames": frames,
            "jitter": each.ticks,
            "jitter_sum": sum(each_all),
            "jitter_max": max(each_all, default=0.0),
            "jitters": len(each_all),
            "frame_jitter_sum": sum(frame_all),
            "frame_jitter_max": max(frame_all, default=0.0),
            "frame_jitters": len(frame_all),
        }


def _add(jitter: Jitter, values: list[float], packet: Packet) -> None:
    first = jitter._transit is None
    jitter.add(packet.ns, packet.stamp)
    if not first:
        values.append(jitter.ticks)


def _silence(packets: list[Packet]) -> int:
    latest, most = packets[0].ns, 0
    for packet in packets:
        most, latest = max(most, packet.ns - latest), max(latest, packet.ns)
    return most


def _fullest_tenth(packets: list[Packet]) -> int:
    return max(
        sum(packet.wire for packet in group)
        for _, group in itertools.groupby(packets, lambda packet: packet.ns // 100_000_000)
    )


def _longest(missing: list[int]) -> int:
    best = run = 0
    last = None
    for number in missing:
        run = run + 1 if last is not None and number == last + 1 else 1
        best, last = max(best, run), number
    return best


def streams_of(packets: list[Packet]) -> list[Stream]:
    """The sources of one direction, in the order in which their second packet comes (two unknown ones are kept)."""
    known: dict[int, Stream] = {}
    kept: list[Packet | None] = [None, None]
    turn = 0
    for packet in packets:
        if packet.ssrc in known:
            known[packet.ssrc].packets.append(packet)
            continue
        same = [k for k, one in enumerate(kept) if one and (one.ssrc, one.kind) == (packet.ssrc, packet.kind)]
        if same:
            first = kept[same[0]]
            assert first is not None
            known[packet.ssrc] = Stream(packet.ssrc, [first, packet])
            kept[same[0]] = None
            continue
        free = [k for k, one in enumerate(kept) if one is None]
        k = free[0] if free else turn
        kept[k], turn = packet, 1 - k
    return list(known.values())


def picture_of(body: bytes) -> int:
    """What the sniffer should say of a dynamic type's payload: which codecs it fits (FITS_AVC 1, FITS_HEVC 4)."""
    return (1 if guess_h264(body) else 0) | (4 if guess_h265(body) else 0)
