"""Damaged captures: cut anywhere, lengths that lie, garbage inside, mutations. Nothing raises, little is lost."""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable

import pytest
from capture_files import (
    T0,
    block,
    codes,
    enhanced,
    frames,
    interface,
    pcap_header,
    pcap_record,
    read,
    section,
    simple_pcap,
    simple_pcapng,
)
from hypothesis import given
from hypothesis import strategies as st

from classifier.capture.model import MAX_PROBLEMS
from classifier.errors import CaptureError

SPEEDS = pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
MAKERS = pytest.mark.parametrize("make", [simple_pcap, simple_pcapng], ids=["pcap", "pcapng"])


@SPEEDS
@MAKERS
def test_cut_at_every_byte(compiled: bool, make: Callable[[int], bytes]) -> None:
    count = 4
    data = make(count)
    ends = [len(make(n)) for n in range(count + 1)]  # where each record is complete
    whole = read(data)[0]
    for cut in range(ends[0], len(data) + 1):
        found, info = read(data[:cut], compiled=compiled)
        complete = sum(end <= cut for end in ends) - 1
        assert found == whole[:complete], cut
        assert info.complete == (cut in ends), cut
        if not info.complete:
            (problem,) = info.problems
            assert (problem.code, problem.record, problem.offset) == ("cut", complete + 1, ends[complete])
            assert str(cut - ends[complete]) in problem.message


@MAKERS
@pytest.mark.parametrize("chunk", [1, 3, 17, 100, 1000])
def test_chunk_boundaries_change_nothing(make: Callable[[int], bytes], chunk: int) -> None:
    data = make(40)[:-9]
    assert read(data, chunk=chunk) == read(data)


@SPEEDS
def test_pcap_damage_is_skipped_and_named(compiled: bool) -> None:
    before = pcap_header() + b"".join(pcap_record(f, T0 + i) for i, f in enumerate(frames(5)))
    after = b"".join(pcap_record(f, T0 + 10 + i) for i, f in enumerate(frames(5)))
    garbage = random.Random(1).randbytes(1001)
    garbage = garbage[:8] + b"\xff\xff\xff\x7f" + garbage[12:]
    found, info = read(before + garbage + after, compiled=compiled)
    assert [r.frame for r in found] == frames(5) * 2
    (problem,) = info.problems
    assert (problem.code, problem.record, problem.offset) == ("damaged", 6, len(before))
    assert f"1001 bytes from byte {len(before)} on were skipped" in problem.message
    assert not info.complete


@SPEEDS
def test_pcapng_damage_is_skipped_and_named(compiled: bool) -> None:
    before = simple_pcapng(5)
    after = b"".join(enhanced(f, (T0 + i) * 10**6) for i, f in enumerate(frames(5)))
    for size in (1001, 40, 13):
        garbage = (b"\x06\0\0\0\xf0\xff\xff\xff" + random.Random(1).randbytes(1001))[:size]
        found, info = read(before + garbage + after, compiled=compiled)
        assert [r.frame for r in found] == frames(5) * 2
        (problem,) = info.problems
        assert (problem.code, problem.record, problem.offset) == ("damaged", 6, len(before))
        assert f"{size} bytes from byte" in problem.message


def test_a_new_section_is_found_after_damage_too() -> None:
    data = simple_pcapng(3) + b"\x06\0\0\0\0\0\0\0" + section(">") + interface(order=">") + enhanced(b"x", order=">")
    found, info = read(data)
    assert (len(found), codes(info), info.sections) == (4, ["damaged"], 2)


@SPEEDS
@pytest.mark.parametrize("chunk", [64, 1 << 20])
def test_a_record_that_claims_too_much_does_not_hide_the_next_ones(compiled: bool, chunk: int) -> None:
    """The length is small enough to be believed, but larger than the wire length, and nothing sensible follows."""
    records = [pcap_record(f, T0 + i) for i, f in enumerate(frames(60))]
    records[10] = pcap_record(frames(60)[10], T0 + 10, captured=1234)
    found, info = read(pcap_header() + b"".join(records), compiled=compiled, chunk=chunk)
    assert [r.frame for r in found] == frames(60)[:10] + frames(60)[11:]
    (problem,) = info.problems
    assert (problem.code, problem.record) == ("damaged", 11)


@SPEEDS
def test_a_record_that_claims_more_than_the_rest_of_the_file(compiled: bool) -> None:
    records = [pcap_record(f, T0 + i) for i, f in enumerate(frames(30))]
    records[10] = pcap_record(frames(30)[10], T0 + 10, captured=200_000)
    found, info = read(pcap_header(snaplen=262_144) + b"".join(records), compiled=compiled)
    assert [r.frame for r in found] == frames(30)[:10] + frames(30)[11:]
    assert codes(info) == ["damaged"]


@SPEEDS
def test_a_block_that_claims_more_than_the_rest_of_the_file(compiled: bool) -> None:
    lie = struct.pack("<II", 0x777, 1_000_000) + bytes(40)
    found, info = read(simple_pcapng(3) + lie + enhanced(b"x" * 60) * 4, compiled=compiled)
    assert (len(found), codes(info)) == (7, ["damaged"])


def test_an_odd_record_before_real_damage_still_counts() -> None:
    odd = pcap_record(b"\xaa" * 100, T0, wire=50)  # captured more than was on the wire: odd, but all there
    garbage = b"\xff" * 333
    after = b"".join(pcap_record(f, T0 + i) for i, f in enumerate(frames(5)))
    for chunk in (40, 1 << 20):
        found, info = read(pcap_header() + odd + garbage + after, chunk=chunk)
        assert [r.frame for r in found] == [b"\xaa" * 100, *frames(5)]
        assert (codes(info), info.problems[0].record) == (["damaged"], 2)


@SPEEDS
@MAKERS
@pytest.mark.parametrize("size", [100_000, 17, 16])
@pytest.mark.parametrize("chunk", [50, 1 << 20])
def test_zeros_in_the_middle_of_a_capture(compiled: bool, make: Callable[[int], bytes], size: int, chunk: int) -> None:
    """A disk that failed for a moment: zeros look like empty records of 1970 and must not count as such."""
    before, whole = make(5), make(12)
    found, info = read(before + bytes(size) + whole[len(before) :], compiled=compiled, chunk=chunk)
    assert found == read(whole)[0]
    assert info.first_ns == T0 * 10**9
    (problem,) = info.problems
    assert (problem.code, problem.record, problem.offset) == ("damaged", 6, len(before))
    assert problem.message == f"zeros instead of records: {size} bytes from byte {len(before)} on were skipped"
    assert not info.complete


@SPEEDS
@MAKERS
@pytest.mark.parametrize("size", [1_000_003, 40, 16])
@pytest.mark.parametrize("chunk", [50, 1 << 20])
def test_zeros_at_the_end_are_what_a_stopped_machine_leaves(
    compiled: bool, make: Callable[[int], bytes], size: int, chunk: int
) -> None:
    data = make(5)
    found, info = read(data + bytes(size), compiled=compiled, chunk=chunk)
    assert found == read(data)[0]
    (problem,) = info.problems
    assert (problem.code, problem.record, problem.offset) == ("damaged", 6, len(data))
    assert problem.message == f"nothing but zeros up to the end: {size} bytes from byte {len(data)} on were skipped"
    assert not info.complete


@SPEEDS
@MAKERS
def test_zeros_and_then_noise_are_not_called_zeros_to_the_end(compiled: bool, make: Callable[[int], bytes]) -> None:
    _, info = read(make(5) + bytes(1000) + b"\xff" * 1000, compiled=compiled)
    (problem,) = info.problems
    assert "nothing but zeros" not in problem.message
    assert "no record was found" in problem.message


@SPEEDS
def test_a_capture_of_nothing_but_zeros_holds_no_packets(compiled: bool) -> None:
    found, info = read(pcap_header() + bytes(1_000_000), compiled=compiled)
    assert (found, codes(info), info.first_ns, info.complete) == ([], ["damaged"], None, False)


@SPEEDS
@MAKERS
@pytest.mark.parametrize("pattern", [b"\0\0\0\0\x01\x02\x03", b"\0" * 11 + b"\x0a", b"\x0a", b"\0\0\xff\0"])
def test_a_record_is_found_behind_any_run_of_bytes(
    compiled: bool, make: Callable[[int], bytes], pattern: bytes
) -> None:
    """The search leaps over zeros and looks at one byte of most places: no place that matters may be missed."""
    before, whole = make(3), make(9)
    lie = b"\xff" * 16
    for size in (*range(40), 1000, 70_001):
        run = (pattern * (size // len(pattern) + 1))[:size]
        found, _ = read(before + lie + run + whole[len(before) :], compiled=compiled)
        assert found == read(whole)[0], size


@pytest.mark.parametrize(
    "lie",
    [
        block(6, struct.pack("<IIIII", 0, 0, 0, 0xFFFFFFFF, 60) + bytes(60)),
        block(6, struct.pack("<IIIII", 0, 0, 0, 200, 60) + bytes(60)),
        block(6, b"short"),
        block(2, b"short"),
        block(3, b""),
        struct.pack("<III", 6, 0xFFFFFFFC, 0) + bytes(60),
        struct.pack("<III", 1, 0xFFFFFFFC, 0) + bytes(60),
        struct.pack("<III", 6, 4, 0) + bytes(60),
        struct.pack("<IIII", 0x0A0D0D0A, 0xFFFFFFFF, 0x1A2B3C4D, 1) + bytes(60),
        struct.pack("<IIII", 0x0A0D0D0A, 28, 0x12345678, 1) + bytes(60),
        struct.pack("<IIII", 0x0A0D0D0A, 8, 0x1A2B3C4D, 1) + bytes(60),
    ],
)
def test_blocks_whose_lengths_lie_cost_only_themselves(lie: bytes) -> None:
    found, info = read(simple_pcapng(3) + lie + enhanced(b"x" * 60) * 3)
    assert [r.frame for r in found] == [*frames(3), *[b"x" * 60] * 3]
    assert not info.complete


@SPEEDS
@MAKERS
@given(data=st.data())
def test_mutations_never_raise_and_both_speeds_agree(
    compiled: bool, make: Callable[[int], bytes], data: st.DataObject
) -> None:
    content = bytearray(make(12))
    for _ in range(data.draw(st.integers(1, 5))):
        kind = data.draw(st.sampled_from(["set", "cut", "insert", "length"]))
        at = data.draw(st.integers(0, len(content) - 1))
        if kind == "set":
            content[at] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del content[at : at + data.draw(st.integers(1, 30))]
        elif kind == "insert":
            content[at:at] = data.draw(st.binary(min_size=1, max_size=30))
        else:
            content[at : at + 4] = struct.pack(
                "<I", data.draw(st.sampled_from([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, 1 << 20]))
            )
        if not content:
            content = bytearray(b"\0")
    try:
        result = read(bytes(content), compiled=compiled)
    except CaptureError as error:
        assert "\n" not in str(error)
        return
    other = read(bytes(content), compiled=not compiled, chunk=data.draw(st.sampled_from([30, 100, 5000])))
    assert other == result


@given(st.binary(max_size=300))
def test_garbage_after_a_header_never_raises(garbage: bytes) -> None:
    for start in (pcap_header(), pcap_header(magic=0xA1B2CD34), section(), section(">") + interface(order=">")):
        result = read(start + garbage, compiled=False)
        assert read(start + garbage, compiled=True, chunk=33) == result


def test_problems_are_capped_and_counted() -> None:
    bad = struct.pack("<II", 6, 5)
    data = section() + interface() + (bad + enhanced(b"x" * 20)) * (MAX_PROBLEMS + 30)
    found, info = read(data)
    assert len(found) == MAX_PROBLEMS + 30
    assert (len(info.problems), info.problem_count) == (MAX_PROBLEMS, MAX_PROBLEMS + 30)


@MAKERS
def test_megabytes_of_garbage_take_little_time(make: Callable[[int], bytes]) -> None:
    """Time grows with the file: megabytes that look like headers everywhere."""
    interpreted = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
    tempting = struct.pack("<IIII", T0, 1, 60, 60) if make is simple_pcap else struct.pack("<IIII", 6, 1 << 20, 0, 0)
    data = make(5) + b"\xff" * 12 + (tempting + b"\xee" * 12) * (20_000 if interpreted else 220_000) + make(5)[24:]
    begun = time.monotonic()
    _, info = read(data, compiled=True)
    assert time.monotonic() - begun < 10
    assert not info.complete
