"""The stream kernels against their slow twin, for any loss, order, repetition, wrap, restart and split."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from payload_vectors import rtp
from reference_streams import Packet, picture_of, streams_of
from test_flows import packet
from test_flows_payloads import Said, sniffed_rows

from classifier.columns import PACKET
from classifier.decode.payload_types import FITS_AVC, FITS_HEVC
from classifier.decode.sniff import picture_kind
from classifier.flows.stream_table import (
    KIND_RTP,
    LOGGED_BINS,
    MAX_STREAM_BINS,
    STREAMS,
    STREAMS_CAP,
    STREAMS_FULL,
    StreamTable,
)
from classifier.flows.tally import Tally
from classifier.jit import speed

MS = 1_000_000
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
SPEEDS = pytest.mark.parametrize("compiled", [False, True])

EXACT = (
    "packets", "wire", "first_ns", "last_ns", "silence_ns", "tenth_most", "hits", "pt", "clock", "received", "refused",
    "restarts", "earlier_expected", "earlier_received", "duplicates", "reordered", "longest_burst", "frames", "jitter",
    "jitter_max", "jitters", "frame_jitter_max", "frame_jitters",
)  # fmt: skip


@st.composite
def directions(draw: st.DrawFn) -> list[Packet]:
    """Up to three sources in one direction, each with its losses, repeats, late packets, jumps and changes of type."""
    ssrcs = draw(st.lists(st.sampled_from((0, 7, 0xFFFFFFFF)), min_size=1, max_size=3, unique=True))
    seqs = {ssrc: draw(st.sampled_from((0, 1, 65_400, 65_535, 30_000))) for ssrc in ssrcs}
    stamps = {ssrc: draw(st.sampled_from((0, 2**32 - 2000, 77))) for ssrc in ssrcs}
    own = {ssrc: draw(st.sampled_from((0, 8, 26, 33))) for ssrc in ssrcs}
    ns = START + draw(st.integers(0, SECOND))
    steps = st.sampled_from(
        ("next",) * 14 + ("repeat", "lost", "burst", "far", "late", "older", "jump", "back", "type", "odd")
    )
    out = []
    for _ in range(draw(st.integers(1, 120))):
        ssrc, step = draw(st.sampled_from(ssrcs)), draw(steps)
        ns += draw(st.integers(-1, 30)) * MS + draw(st.integers(0, 999))
        shown = seqs[ssrc]
        if step in ("repeat", "late", "older"):
            shown -= {"repeat": 1, "late": draw(st.integers(1, 9)), "older": draw(st.integers(40, 120))}[step]
        else:
            shown += {
                "lost": 1,
                "burst": draw(st.integers(2, 60)),
                "far": draw(st.integers(90, 3010)),
                "jump": 9000,
            }.get(step, 0)
            shown -= 200 if step == "back" else 0
            seqs[ssrc] = shown + 1
        if step != "repeat" and draw(st.booleans()):
            stamps[ssrc] += draw(st.sampled_from((160, 3000, 3600)))
        kind = {"type": 13, "odd": 10}.get(step, own[ssrc])
        out.append(Packet(ssrc, kind, shown % 65_536, stamps[ssrc] % 2**32, ns, 60 + draw(st.integers(0, 1400))))
    return out


def counted(packets: list[Packet], compiled: bool, step: int = 4096, max_bins: int = MAX_STREAM_BINS) -> Tally:
    said: list[Said] = []
    for one in packets:
        fields = {**packet(7, 6000, 9, 3456, proto=17), "ts_ns": one.ns, "wire": one.wire}
        said.append((fields, rtp(one.seq, one.stamp, kind=one.kind, ssrc=one.ssrc)))
    rows = sniffed_rows(said)
    rows["icmp_type"] = 0  # whatever the vectors' payloads look like, these are no pictures
    tally = Tally(compiled=compiled)
    tally.streams = StreamTable(max_bins=max_bins)
    for start in range(0, len(rows), step):
        part = rows[start : start + step].copy()
        tally.update(part, len(part))
    return tally


def all_rows(tally: Tally) -> np.ndarray:
    """All STREAM rows after the end, streams or not."""
    tally.streams.finish(tally.kernels)
    rows: np.ndarray = tally.streams.rows[: tally.streams.state[STREAMS]]
    return rows


@settings(max_examples=100, deadline=None)
@given(directions(), st.integers(1, 40), st.booleans(), st.sampled_from([6, 20, MAX_STREAM_BINS]))
def test_every_figure_is_the_twins(packets: list[Packet], step: int, compiled: bool, max_bins: int) -> None:
    """Also when there are so many time bins that they become wider on the way."""
    tally = counted(packets, compiled, step, max_bins)
    rows, twins = all_rows(tally), streams_of(packets)
    assert rows["ssrc"].tolist() == [twin.ssrc for twin in twins]
    for number, (row, twin) in enumerate(zip(rows, twins, strict=True)):
        wanted = twin.figures()
        for name in EXACT:
            assert row[name] == wanted[name], name
        for name in ("jitter_sum", "frame_jitter_sum"):
            assert row[name] == pytest.approx(wanted[name]), name
        assert int(row["cycles"] + row["max_seq"] - row["base_seq"] + 1) == wanted["run_expected"]
        bins = tally.streams.bins[: tally.streams.state[LOGGED_BINS]]
        bins = bins[bins["stream"] == number]
        assert (bins["packets"].sum(), bins["wire"].sum()) == (wanted["packets"], wanted["wire"])
        assert bins["lost"].sum() == wanted["lost_over_time"]
        assert bins["jitter_us"].max() == wanted["highest_us"]


@settings(max_examples=40, deadline=None)
@given(directions(), st.integers(1, 40))
def test_batches_and_speeds_do_not_matter(packets: list[Packet], step: int) -> None:
    whole = counted(packets, False)
    expected, bins = all_rows(whole).copy(), whole.streams.bins.copy()
    for compiled in (False, True):
        tally = counted(packets, compiled, step)
        assert np.array_equal(all_rows(tally), expected)
        assert np.array_equal(tally.streams.bins, bins)


def in_a_row(count: int, **fields: Any) -> list[Packet]:
    return [
        Packet(**{"ssrc": 5, "kind": 0, "seq": n, "stamp": 160 * n, "ns": START + 20 * MS * n} | fields)
        for n in range(count)
    ]


@SPEEDS
@pytest.mark.parametrize("clock", [8000, 16_000, 44_100, 48_000])
def test_the_clock_of_a_dynamic_type_is_measured(clock: int, compiled: bool) -> None:
    step = clock // 50
    packets = [Packet(5, 96, n, step * n, START + 20 * MS * n + (n % 3) * MS) for n in range(100)]
    (row,) = all_rows(counted(packets, compiled))
    assert row["clock"] == clock
    assert 0 < row["jitter_max"] / clock < 0.002


@SPEEDS
def test_a_clock_that_fits_nothing_stays_assumed(compiled: bool) -> None:
    packets = [Packet(5, 96, n, 7 * n, START + 20 * MS * n) for n in range(1000)]
    (row,) = all_rows(counted(packets, compiled))
    assert (row["clock"], row["clock_basis"], row["check_ns"]) == (90_000, 2, 0)


@pytest.mark.parametrize(("count", "shown"), [(4, 0), (5, 1), (50, 1)])
def test_five_packets_in_a_row_make_a_stream(count: int, shown: int) -> None:
    tally = counted(in_a_row(count), False)
    assert len(tally.streams.finish(tally.kernels)) == shown


def test_two_sources_that_take_turns_are_two_streams_and_nothing_is_left_out() -> None:
    both = [one for n in range(30) for one in (in_a_row(30)[n], in_a_row(30, ssrc=9)[n])]
    tally = counted(both, False)
    found = tally.streams.finish(tally.kernels)
    assert sorted(zip(found.rows["ssrc"].tolist(), found.rows["packets"].tolist(), strict=True)) == [(5, 30), (9, 30)]


@SPEEDS
def test_streams_beyond_the_cap_are_counted(compiled: bool) -> None:
    said: list[Said] = []
    for flow in range(10):
        said += [(packet(flow + 1, 6000, 9, 3456, proto=17, ms=n), rtp(n, 160 * n, kind=0)) for n in range(6)]
    tally = Tally(compiled=compiled)
    tally.streams.state[STREAMS_CAP] = 4
    rows = sniffed_rows(said)
    tally.update(rows, len(rows))
    found = tally.streams.finish(tally.kernels)
    assert len(found) == 4
    assert tally.streams.state[STREAMS_FULL] == 6 * 5  # of six flows, all but the first packet


@SPEEDS
def test_too_many_time_bins_of_streams_are_joined_and_keep_their_sums(compiled: bool) -> None:
    table = StreamTable(max_bins=40)
    tally = Tally(compiled=compiled)
    tally.streams = table
    said: list[Said] = []
    for n in range(500):
        fields = {**packet(7, 6000, 9, 3456, proto=17), "ts_ns": START + n * SECOND, "wire": 100}
        said.append((fields, rtp(2 * n if n > 1 else n, 8000 * n, kind=0)))
    rows = sniffed_rows(said)
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50].copy()
        tally.update(part, len(part))
    all_rows(tally)
    assert table.bin_width_ns > SECOND
    assert len(table.bins) <= 40
    assert (table.bins["packets"].sum(), table.bins["wire"].sum(), table.bins["lost"].sum()) == (500, 50_000, 499)
    assert (table.bins["bin_ns"] % table.bin_width_ns == 0).all()


@SPEEDS
@pytest.mark.parametrize("same_tenth", [0, 1])
def test_the_fullest_tenth_may_be_open_when_bins_become_wider(same_tenth: int, compiled: bool) -> None:
    packets = [Packet(5, 0, n, 8000 * n, START + n * SECOND, 900 if n == 24 else 100) for n in range(50)]
    if same_tenth:
        packets[25] = Packet(5, 0, 25, 8000 * 25, packets[24].ns + MS, 300)
    tally = counted(packets, compiled, step=25, max_bins=20)
    (row,) = all_rows(tally)
    assert tally.streams.bin_width_ns > SECOND // 10
    assert row["tenth_most"] == (1200 if same_tenth else 900)


@settings(max_examples=300)
@given(st.binary(min_size=0, max_size=12))
def test_pictures_are_told_as_by_the_twin(body: bytes) -> None:
    code = picture_kind(body, 0, len(body))
    if len(body) >= 4:
        assert code & (FITS_AVC | FITS_HEVC) == picture_of(body)
    assert PACKET.fields is not None and code < 16


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("65 88 00 00", 3),  # H.264 IDR slice
        ("67 42 00 00", 3),  # sequence parameter set
        ("68 ce 00 00", 1),  # picture parameter set
        ("41 9a 00 00", 1),  # slice
        ("7c 85 00 00", 3),  # FU-A, begins an IDR slice
        ("7c 05 00 00", 1),  # ... goes on with one
        ("7c 81 00 00", 1),
        ("78 00 02 67 42 00 01 65", 3),  # STAP-A with parameter set and IDR slice
        ("78 00 01 41 00 01 65", 3),
        ("78 00 01 41 00 01 61", 1),
        ("26 01 00 00", 12),  # H.265 IDR_W_RADL
        ("40 01 00 00", 12),  # video parameter set
        ("02 01 00 00", 4),  # slice
        ("62 01 93 00", 12),  # FU, begins an IDR
        ("62 01 13 00", 4),
        ("60 01 00 02 40 01", 12),  # AP that begins with parameter set
        ("ff ff ff ff", 0),
        ("80 00 00 00", 0),
    ],
)
def test_kinds_of_pictures(body: str, code: int) -> None:
    data = bytes.fromhex(body)
    for compiled in (False, True):
        buffer = np.frombuffer(data, "u1") if compiled else data
        assert speed(compiled).picture_kind(buffer, 0, len(data)) == code


def test_the_kernels_kind_is_rtp() -> None:
    (row,) = all_rows(counted(in_a_row(6), False))
    assert row["kind"] == KIND_RTP
