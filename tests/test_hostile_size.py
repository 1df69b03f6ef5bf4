"""Captures made to exhaust memory or time: bounded, named in the report, done in a time that grows with the file."""

from __future__ import annotations

import gzip
import io
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import numpy as np
import pytest
import zstandard
from capture_files import T0, block, enhanced, interface, option, pcap_header, pcap_record, section, simple_pcap
from hostile import MIB, measured, seconds_allowed, udp_packets, write_pcap

from classifier import engine
from classifier.capture.model import MAX_BLOCK, MAX_INTERFACES
from classifier.flows.state import FRAGMENT_SETS, FRAGMENT_WAYS, HELD_POOL
from classifier.limits import Limits

pytestmark = pytest.mark.damaged

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": lambda data: gzip.compress(data, 6),
    "zstd": zstandard.compress,
    "lz4": lz4.frame.compress,
}
ROOM = 400 * MIB
"""Address space beyond what kernels and imports take: threads reserve much that they never touch."""
FRAME = bytes.fromhex("020000000001020000000002080045000020000100004011000001020304050607080fa01388000c0000") + b"data"


@pytest.mark.parametrize(
    ("name", "filler", "size"), [("gzip", 0xFF, 64), ("gzip", 0, 128), ("zstd", 0, 128), ("lz4", 0, 128)]
)
def test_a_decompression_bomb_is_bounded(name: str, filler: int, size: int, tmp_path: Path) -> None:
    """No record anywhere, all of it is searched; zeros are no empty records of 1970."""
    member = COMPRESSORS[name](bytes([filler]) * (16 * MIB))
    path = tmp_path / "bomb"
    path.write_bytes(COMPRESSORS[name](simple_pcap(5)) + member * (size // 16))
    assert path.stat().st_size < MIB
    result = measured(path, room=ROOM)
    assert (result["packets"], result["problems"]) == (5, ["damaged"])
    assert result["grown"] < 60 * MIB
    assert result["seconds"] < seconds_allowed(30)


@pytest.mark.parametrize("name", COMPRESSORS)
def test_a_decompression_bomb_of_records_is_bounded(name: str, tmp_path: Path) -> None:
    """Millions of equal records: all counted, in the memory of one flow."""
    record = pcap_record(FRAME + bytes(1000), T0)
    piece = record * 60_000
    path = tmp_path / "bomb"
    path.write_bytes(COMPRESSORS[name](pcap_header()) + COMPRESSORS[name](piece) * 10)
    assert path.stat().st_size < 5 * MIB
    result = measured(path, room=ROOM)
    assert (result["packets"], result["totals"]["flows"], result["complete"]) == (600_000, 1, True)
    assert result["grown"] < 100 * MIB
    assert result["seconds"] < seconds_allowed(20)


def test_seventy_thousand_interfaces(tmp_path: Path) -> None:
    """The first MAX_INTERFACES are kept; records of the others count and are not decoded; the report says so."""
    number = 70_000
    path = tmp_path / "many.pcapng"
    known, unknown = enhanced(FRAME, number=60_000), enhanced(FRAME, number=69_999)
    path.write_bytes(section() + interface() * number + known * 3 + unknown * 2)
    result = measured(path, room=ROOM)
    assert number > MAX_INTERFACES
    assert result["packets"] == 5
    assert "limit" in result["problems"]
    assert result["totals"]["flows"] == 1
    assert result["grown"] < 150 * MIB
    assert result["seconds"] < seconds_allowed(15)


@pytest.mark.parametrize("size", [0xFFFFFFFC, 0x7FFFFFFC, MAX_BLOCK + 4, MAX_BLOCK])
def test_an_option_list_of_up_to_four_gigabytes_is_claimed_only(size: int, tmp_path: Path) -> None:
    """No memory is taken because a length asks for it."""
    lie = struct.pack("<II", 1, size) + struct.pack("<HHI", 1, 0, 0) + option(1, b"x" * 60_000)
    path = tmp_path / "options.pcapng"
    path.write_bytes(section() + interface() + enhanced(FRAME) * 3 + lie + enhanced(FRAME) * 4)
    result = measured(path, room=ROOM)
    assert (result["packets"], result["problems"]) == (7, ["damaged"])
    assert result["grown"] < 50 * MIB


def test_a_real_option_list_as_long_as_allowed_takes_little(tmp_path: Path) -> None:
    """16 MiB of empty options in one block, and an option that claims more than its block."""
    room = MAX_BLOCK - 100
    for options in (b"\x09\x80\0\0" * (room // 4), struct.pack("<HH", 1, 0xFFFF) + bytes(100)):
        path = tmp_path / "options.pcapng"
        path.write_bytes(section() + interface(options=options) + enhanced(FRAME) * 4)
        result = measured(path, room=ROOM)
        assert result["packets"] == 4
        assert result["grown"] < 120 * MIB
        assert result["seconds"] < seconds_allowed(10)


def test_a_name_block_with_more_names_than_are_kept(tmp_path: Path) -> None:
    names = b"".join(struct.pack("<HH", 1, 8) + struct.pack(">I", 0x0A000000 + i) + b"cam\0" for i in range(200_000))
    path = tmp_path / "names.pcapng"
    path.write_bytes(section() + interface() + block(4, names + bytes(4)) + enhanced(FRAME) * 4)
    result = measured(path, room=ROOM)
    assert (result["packets"], result["problems"]) == (4, ["limit"])
    assert result["grown"] < 100 * MIB


@pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
def test_timestamps_from_1970_to_2106_in_one_file(compiled: bool) -> None:
    """136 years in one-second bins would be 4 billion of them: bins are sparse."""
    times = [T0, 0, 0xFFFFFFFF, 1, T0 + 1]
    data = pcap_header() + b"".join(pcap_record(FRAME, t) for t in times)
    report = engine.classify(io.BytesIO(data), compiled=compiled)
    assert report.totals["packets"] == 5
    assert (report.totals["first_ns"], report.totals["last_ns"]) == (0, 0xFFFFFFFF * 10**9)
    assert report.totals["duration_ns"] == 0xFFFFFFFF * 10**9
    assert sum(row["wire_bytes"] for row in report.rows("timeline")) == report.totals["wire_bytes"]
    (row,) = report.rows("components")
    assert row["peak_bps"] == len(FRAME) * 8
    assert row["p95_bps"] == 0  # of four billion seconds nearly all are empty
    with pytest.raises(ValueError, match="too many"):
        report.timeseries("1s")


def test_timestamps_at_the_ends_of_sixty_four_bits() -> None:
    data = (
        section()
        + interface(options=option(9, b"\x09"))
        + b"".join(enhanced(FRAME, ticks) for ticks in (0, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, T0 * 10**9))
    )
    report = engine.classify(io.BytesIO(data))
    assert report.totals["packets"] == 6
    assert report.totals["first_ns"] == 0
    assert sum(row["packets"] for row in report.rows("timeline")) == 6
    assert [problem.code for problem in report.captures[0].problems] == ["timestamp"]


@pytest.mark.parametrize("sources", [1, 4000])
def test_a_million_fragments_that_never_complete(sources: int, tmp_path: Path) -> None:
    """Later fragments without a first one: they wait in a fixed pool, and find their flow as unresolved ones."""
    count = 1_000_000
    rows = udp_packets(count)
    rows["fragment"] = 0x2000 | 10
    rows["id"] = np.arange(count) & 0xFFFF
    rows["src"] += (np.arange(count) % sources).astype("u4")
    result = measured(write_pcap(tmp_path / "fragments.pcap", rows), room=ROOM)
    assert result["packets"] == count
    assert result["totals"]["flows"] == sources
    assert HELD_POOL == FRAGMENT_SETS * FRAGMENT_WAYS < count
    assert result["grown"] < 100 * MIB
    assert result["seconds"] < seconds_allowed(20)
    assert set(result["engine_problems"]) == {"fragment_cap"}


def test_first_fragments_without_the_rest(tmp_path: Path) -> None:
    count = 500_000
    rows = udp_packets(count)
    rows["fragment"], rows["id"] = 0x2000, np.arange(count) & 0xFFFF
    rows["dst"] += (np.arange(count) // 65_536).astype("u4")
    result = measured(write_pcap(tmp_path / "fragments.pcap", rows), room=ROOM)
    assert (result["packets"], result["totals"]["flows"]) == (count, 8)
    assert result["engine_problems"] == ["fragment_cap"]
    gone = int(result["messages"][0].split()[0].replace(",", ""))
    assert count - FRAGMENT_SETS * FRAGMENT_WAYS <= gone < count
    assert result["grown"] < 100 * MIB


def test_two_million_flows_into_a_full_table(tmp_path: Path) -> None:
    """Flows beyond the cap are counted together, nothing is lost, and the report says so."""
    count = 2_000_000
    rows = udp_packets(count)
    rows["src"] += np.arange(count, dtype="u4")
    path = write_pcap(tmp_path / "flows.pcap", rows)
    result = measured(path, room=ROOM, flows=1000)
    assert result["packets"] == count
    assert result["totals"]["wire_bytes"] == count * 42
    assert result["totals"]["flows"] <= 1002
    assert result["engine_problems"] == ["flow_cap"]
    assert result["messages"][0].startswith(f"{count - 1000:,} packets of further flows than the 1,000 ")
    assert result["grown"] < 60 * MIB
    assert result["seconds"] < seconds_allowed(20)


@pytest.mark.skipif("CLASSIFIER_LARGE" not in os.environ, reason="a minute and 2.6 GB: CLASSIFIER_LARGE=1 runs it")
@pytest.mark.parametrize("limits", [{}, {"flows": 100_000}], ids=["default", "100,000"])
def test_ten_million_flows_of_one_packet(limits: dict[str, int], tmp_path: Path) -> None:
    """What docs/robustness.md says a flow takes, at the default cap and at a small one."""
    count, piece = 10_000_000, 1_000_000
    rows = udp_packets(piece)
    rows["src"] += np.arange(piece, dtype="u4")
    path = tmp_path / "flows.pcap"
    with path.open("wb") as file:
        file.write(pcap_header())
        for _ in range(count // piece):
            rows.tofile(file)
            rows["src"] += np.uint32(piece)
    kept = Limits(**limits).flows
    result = measured(path, **limits)
    print(f"{kept:,} flows: {result['grown'] / MIB:,.0f} MiB, {result['seconds']:.0f} s")
    assert result["packets"] == count
    assert kept <= result["totals"]["flows"] <= kept + 1
    assert result["messages"][0].startswith(f"{count - kept:,} packets of further flows")
    assert result["grown"] < kept * 650 + 40 * MIB
    assert result["seconds"] < seconds_allowed(60)


def test_memory_and_time_grow_with_the_flows_that_exist(tmp_path: Path) -> None:
    """Below the cap: about 600 bytes for each flow, no more for the second 100,000 than for the first."""
    grown, seconds = [], []
    for count in (100_000, 200_000):
        rows = udp_packets(count)
        rows["src"] += np.arange(count, dtype="u4")
        result = measured(write_pcap(tmp_path / "flows.pcap", rows))
        assert result["totals"]["flows"] == count
        grown.append(result["grown"])
        seconds.append(result["seconds"])
    assert grown[1] < 200_000 * 900  # of arrays that grow in steps
    assert grown[1] < 3 * grown[0]
    assert seconds[1] < seconds_allowed(10)


@pytest.mark.parametrize("order", ["forward", "shuffled"])
def test_a_million_packets_over_68_years(order: str, tmp_path: Path) -> None:
    """Twenty-one billion tenths of a second: only those that hold packets take memory, and not too many of these."""
    count, years = 1_000_000, 68
    rows = udp_packets(count)
    at = np.linspace(0, years * 31_556_952, count).astype("u4")
    rows["sec"] = at if order == "forward" else np.random.default_rng(68).permutation(at)
    rows["src"] += (np.arange(count) % 300).astype("u4")
    path = write_pcap(tmp_path / "years.pcap", rows)
    every = measured(path, room=2 * ROOM)
    assert every["engine_problems"] == []
    assert every["grown"] < 400 * MIB
    few = measured(path, room=ROOM, flows=1000, bins=200_000)
    assert few["engine_problems"] == ["bin_cap"]
    assert few["messages"][0].startswith("time bins are 10,000,000 seconds wide, ")
    assert few["grown"] < 60 * MIB
    assert max(every["seconds"], few["seconds"]) < seconds_allowed(10)
    assert every["totals"] == few["totals"]


def test_time_bins_beyond_their_cap_get_coarser_and_stay_exact() -> None:
    data = pcap_header() + b"".join(pcap_record(FRAME, T0 + 3 * i) for i in range(40_000))
    report: Any = engine.classify(io.BytesIO(data), compiled=True, limits=Limits(flows=10, bins=20_000))
    bins = report.rows("timeline")
    assert len(bins) <= 20_000
    (problem,) = report.problems
    assert (problem.code, problem.message.split(",")[0]) == ("bin_cap", "time bins are 100 seconds wide")
    assert report.time == {"bin_width_ns": 100 * 10**9, "timeline_bin_ns": 1000 * 10**9, "link": None}
    assert {row["measure"]: row["value"] for row in report.rows("quality")}["bin_width"] == 100
    assert sum(row["packets"] for row in bins) == 40_000 == report.totals["packets"]
    assert sum(row["wire_bytes"] for row in bins) == report.totals["wire_bytes"]
