"""Media inside RTSP connections: frames are found wherever segments cut them, in whatever order segments come."""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import classifier
from classifier.columns import PACKET
from classifier.flows import framing_table as ft
from classifier.flows import state
from classifier.jit import speed, view

REPLY = b"RTSP/1.0 200 OK\r\nCSeq: 7\r\nSession: ab$\r\n\r\n"
WHERE = 8  # flow row 4, side A


class Header(NamedTuple):
    """What is found of an RTP packet."""

    ssrc: int
    kind: int
    seq: int
    stamp: int
    payload: int


class Segment(NamedTuple):
    """A captured segment: its bytes begin at `seq`; `cut`: so many more were on the wire."""

    seq: int
    data: bytes
    ns: int
    acked: int = -1
    cut: int = 0


def frame(channel: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0x24, channel, len(body)) + body


def rtp(seq: int, *, ssrc: int = 0xABCD, kind: int = 96, size: int = 50, seed: int = 1) -> bytes:
    body = random.Random(seed * 65536 + seq).randbytes(size)
    return struct.pack(">BBHII", 0x80, kind, seq, 90 * seq, ssrc) + body


def report(ssrc: int = 0xABCD) -> bytes:
    return struct.pack(">BBHIIIIII", 0x80, 200, 6, ssrc, 1, 2, 3, 4, 5)


def walk(data: bytes) -> tuple[list[Header], list[bytes]]:
    """The slow way: RTP headers and RTCP packets of a whole byte stream of frames and messages.

    Behind a message the first frame counts when another one follows it, or its source was met before.
    """
    headers: list[Header] = []
    reports: list[bytes] = []
    run: list[bytes] = []
    at, known, sure = 0, None, False

    def settle(sure: bool) -> None:
        for k, body in enumerate(run):
            if 200 <= body[1] <= 207:
                if sure or k:
                    reports.append(body)
            else:
                kind, seq, stamp, ssrc = struct.unpack(">xBHII", body[:12])
                headers.append(Header(ssrc, kind & 0x7F, seq, stamp, len(body)))
        run.clear()

    while at < len(data):
        if data[at] != 0x24 or (not sure and (data[at + 1] >= 16 or data[at + 4] >> 6 != 2)):
            run.clear()
            sure = False
            at += 1
            continue
        size = int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 4 + size]
        if len(body) < min(size, 12):
            break
        run.append(body)
        source = None if 200 <= body[1] <= 207 else body[8:12]
        if sure or len(run) == 2 or (source is not None and source == known):
            settle(sure)
            sure = True
            known = source or known
        at += 4 + size
    return headers, reports


class Found(NamedTuple):
    """What the kernels find, and the direction's row."""

    headers: list[Header]
    reports: list[bytes]
    row: np.void
    times: list[int]


def follow(segments: list[Segment], *, compiled: bool = False, holds: int = ft.HOLDS) -> Found:
    """Give the segments to the kernels."""
    kernels = speed(compiled)
    table = ft.FramingTable(holds=holds)
    table.make_room(len(segments))
    buffer = b"".join(s.data for s in segments)
    rows, followed = np.zeros(len(segments), PACKET), np.zeros(len(segments), ft.FOLLOWED)
    at = 0
    for i, s in enumerate(segments):
        rows[i]["seq"], rows[i]["ts_ns"], rows[i]["payload_at"] = s.seq % 2**32, s.ns, at
        rows[i]["payload"], rows[i]["payload_captured"] = len(s.data) + s.cut, len(s.data)
        followed[i]["packet"], followed[i]["flow"], followed[i]["side"], followed[i]["tcp"] = i, WHERE // 2, 0, 2
        followed[i]["acked"] = s.acked % 2**32 if s.acked >= 0 else -1
        at += len(s.data)
    tcp, own = np.zeros(4, state.TCP_SIDE), np.zeros(state.STATE_SIZE, "i8")
    own[state.PROBES], own[state.PROBES_CAP] = 2, 1000
    found: list[Header] = []
    reports: list[bytes] = []
    times: list[int] = []

    def collect() -> None:
        for row in table.found[: table.state[ft.FOUND]]:
            assert row["where"] == WHERE and row["wire"] == row["payload"] + 4 and row["probe"] == 2
            found.append(Header(*(int(row[name]) for name in Header._fields)))
            times.append(int(row["ns"]))
        for row in table.reports[: table.state[ft.REPORTS]]:
            assert row["where"] == WHERE
            start = int(row["start"])
            reports.append(table.report_bytes[start : start + int(row["length"])].tobytes())

    first = 0
    while first < len(segments):
        first = kernels.follow_interleaved(
            view(buffer, compiled), rows, followed, first, len(segments), tcp, table.arrays, own
        )
        collect()
    first = 1
    while first < table.state[ft.FRAMINGS]:
        first = kernels.end_interleaved(table.arrays, first)
        collect()
    assert not table.holds["used"].any()
    return Found(found, reports, table.rows[1], times)


def cut_up(data: bytes, sizes: list[int], start: int) -> list[Segment]:
    segments, at, k = [], 0, 0
    while at < len(data):
        size = sizes[k % len(sizes)]
        segments.append(Segment(start + at, data[at : at + size], 1000 + k))
        at += size
        k += 1
    return segments


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Frames of two sources, reports, and messages between them."""
    data, seq = REPLY if draw(st.booleans()) else b"", draw(st.integers(0, 65535))
    for _ in range(draw(st.integers(1, 25))):
        what = draw(st.sampled_from(("video", "video", "video", "audio", "report", "message", "empty")))
        seq = (seq + 1) % 65536
        if what == "video":
            data += frame(0, rtp(seq, size=draw(st.sampled_from((0, 3, 60, 700)))))
        elif what == "audio":
            data += frame(2, rtp(seq, ssrc=77, kind=8, size=16))
        elif what == "report":
            data += frame(1, report())
        elif what == "message":
            data += REPLY
        elif data.endswith(b"\x24") is False and data and not data.endswith(REPLY):
            data += frame(0, rtp(seq, size=1))
    return data


CUTS = st.lists(st.sampled_from((1, 2, 3, 7, 15, 16, 17, 40, 61, 300, 1460)), min_size=1, max_size=6)
STARTS = st.sampled_from((0, 5, 2**32 - 40, 2**32 - 1, 2**31 - 3))


@settings(max_examples=150, deadline=None)
@given(streams(), CUTS, STARTS)
def test_frames_are_found_wherever_segments_cut_them(data: bytes, sizes: list[int], start: int) -> None:
    headers, reports = walk(data)
    found, heard, row, _ = follow(cut_up(data, sizes, start))
    assert found == headers
    assert set(heard) <= set(reports)
    assert row["lost_bytes"] == 0
    assert follow(cut_up(data, sizes, start), compiled=True)[:2] == (found, heard)


@settings(max_examples=150, deadline=None)
@given(streams(), CUTS, STARTS, st.randoms(use_true_random=False))
def test_segments_late_and_again_change_nothing(
    data: bytes, sizes: list[int], start: int, chance: random.Random
) -> None:
    segments = cut_up(data, sizes, start)
    order = segments[:1]
    waiting: list[Segment] = []
    for segment in segments[1:]:
        if chance.random() < 0.2 and len(waiting) < 4:
            waiting.append(segment)
            continue
        order.append(segment)
        if waiting and chance.random() < 0.5:
            order.append(waiting.pop(chance.randrange(len(waiting))))
        if chance.random() < 0.2:
            order.append(chance.choice(order))
    order += waiting
    found, _, row, _ = follow(order)
    assert found == walk(data)[0]
    assert row["lost_bytes"] == 0
    assert follow(order, compiled=True)[0] == found


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 60_000), CUTS, STARTS, st.integers(1, 200), st.integers(1, 4), st.booleans())
def test_behind_a_gap_the_way_is_found_again(
    seq: int, sizes: list[int], start: int, at: int, count: int, told: bool
) -> None:
    """What was not lost is found, but for the frames that the gap touches; nothing is made up."""
    frames = [frame(0, rtp((seq + k) % 65536, size=100 + 90 * (k % 3))) for k in range(30)]
    data = b"".join(frames)
    segments = cut_up(data, sizes, start)
    at = min(at, len(segments) - 1)
    lost = segments[at : at + count]
    rest = segments[:at] + segments[at + count :]
    if told:  # the receiver has acknowledged what we miss
        rest = [s._replace(acked=s.seq) if s.seq > lost[0].seq else s for s in rest]
    headers = walk(data)[0]
    found, _, row, _ = follow(rest)
    assert [h for h in headers if h in found] == found
    low, high = lost[0].seq - start, lost[-1].seq - start + len(lost[-1].data)
    ends = [sum(map(len, frames[: k + 1])) for k in range(30)]
    touched = sum(e > low and e - len(f) < high for e, f in zip(ends, frames, strict=True))
    touched += low < ends[1]  # a first frame is believed with the second
    assert len(headers) - len(found) <= touched
    assert row["lost_bytes"] == (high - low if high < len(data) else 0)


def media(count: int, first: int = 1, size: int = 100) -> bytes:
    return b"".join(frame(0, rtp(first + k, size=size)) for k in range(count))


def test_a_gap_inside_a_body_loses_nothing() -> None:
    data = media(10, size=1000)
    segments = [Segment(0, data[:300], 1), Segment(700, data[700:], 2)]
    found, _, row, _ = follow(segments)
    assert [h.seq for h in found] == list(range(1, 11))
    assert row["lost_bytes"] == 400 and row["lost_way"] == 0


def test_a_cut_capture_loses_what_is_not_there() -> None:
    """Frames begin with segments: of each, the header was captured."""
    segments = [Segment(1016 * k, frame(0, rtp(k, size=1000))[:60], k, cut=956) for k in range(10)]
    found, _, row, _ = follow(segments)
    assert [h.seq for h in found] == list(range(10))
    assert row["lost_bytes"] == 9560


def test_a_frame_has_the_time_of_the_segment_that_brought_its_header() -> None:
    data = media(4, size=100)
    segments = [Segment(0, data[:120], 10), Segment(240, data[240:350], 30), Segment(120, data[120:240], 40)]
    found = follow([*segments, Segment(350, data[350:], 50)])
    assert [h.seq for h in found.headers] == [1, 2, 3, 4]
    assert found.times == [10, 40, 30, 50]


def test_nobody_waits_for_more_than_the_pool_holds() -> None:
    """A first segment is missing for good: beyond the pool the rest is read without it."""
    data = media(300, size=1000)
    segments = cut_up(data, [1460], 0)
    del segments[5]
    found, _, row, _ = follow(segments)
    assert len(found) >= 297 and row["lost_bytes"] == 1460
    assert follow(segments, holds=0)[0] == found
    assert follow(segments, compiled=True)[0] == found


def test_more_gaps_at_a_time_than_are_kept() -> None:
    """Every second segment is missing: parts beyond the bound are given up, none is made up."""
    data = media(400, size=84)
    segments = cut_up(data, [150], 0)[::2]
    found, _, _, _ = follow(segments)
    headers = walk(data)[0]
    assert [h for h in headers if h in found] == found and len(found) > 100


def test_numbers_of_another_connection_are_followed_from_there() -> None:
    one, other = media(5), media(5, first=500)
    found, _, _, _ = follow([Segment(0, one, 1), Segment(2_000_000_000, other, 2)])
    assert [h.seq for h in found] == [1, 2, 3, 4, 5, 500, 501, 502, 503, 504]


@pytest.mark.parametrize("junk", [b"$" * 5000, bytes(5000), b"$\x00\xff\xff\x80" * 1000, b"$\x00\x00\x00" * 900])
def test_what_is_no_media_gives_none(junk: bytes) -> None:
    for compiled in (False, True):
        found, _, _, _ = follow(cut_up(junk, [1460, 3, 900], 7), compiled=compiled)
        assert found == []


def test_many_frames_in_one_segment_are_all_handed_over() -> None:
    """The rows for what is found are filled more than once."""
    data = b"".join(frame(0, rtp(k % 65536, size=0)) for k in range(60_000))
    found, _, _, _ = follow(cut_up(data, [64_000], 2**32 - 1000), compiled=True)
    assert [h.seq for h in found] == [k % 65536 for k in range(60_000)]


def test_reports_are_handed_over_whole() -> None:
    data = media(2) + frame(1, report(9)) + media(2, first=3)
    assert follow([Segment(0, data, 1)])[1] == [report(9)]
    assert follow(cut_up(data, [1460], 3), compiled=True)[1] == [report(9)]


def test_a_stream_inside_an_rtsp_connection_is_a_stream(captures: Path) -> None:
    """The site's camera sends 23 packets through its RTSP connection; batches and speed make no difference."""
    path = captures / "digifort_site.pcapng"
    wanted = None
    ways: tuple[dict[str, Any], ...] = ({"compiled": True}, {"compiled": True, "batch": 7}, {"compiled": False})
    for how in ways:
        rows = [row for row in classifier.classify(path, **how).rows("streams") if row["transport"] == "tcp"]
        assert [row["packets"] for row in rows] == [23]
        assert wanted in (None, rows)
        wanted = rows
