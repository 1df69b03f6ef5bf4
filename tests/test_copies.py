"""Copies that a mirror made, giants, small frames, times: the kernels are the slow twin on any frames."""

from __future__ import annotations

import struct
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import reference_copies as twin
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier import engine
from classifier.flows import copies
from classifier.flows.watch import Watched, clock_offsets
from classifier.limits import Limits
from classifier.matching import load_signatures

SIGNATURES = load_signatures(())
START = 1_700_000_000_000_000_000
MS = 1_000_000
A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")


def frame(
    *,
    ident: int = 7,
    ttl: int = 64,
    protocol: int = 17,
    content: bytes = b"content of one datagram",
    vlan: int | None = None,
    macs: tuple[bytes, bytes] = (A, B),
    six: bool = False,
    pad: int = 60,
    cksum: int = 0x1234,
    tos: int = 0,
) -> bytes:
    """An Ethernet frame with a datagram or segment."""
    if protocol == 6:
        upper = struct.pack("!HHIIBBHHH", 8600, 50000, 1000, 2000, 0x50, 0x18, 500, cksum, 0) + content
    else:
        upper = struct.pack("!HHHH", 3000, 4000, 8 + len(content) & 0xFFFF, cksum) + content
    if six:
        head = struct.pack("!IHBB16s16s", 0x60000000 | tos << 20, len(upper), protocol, ttl, b"\xfd" * 16, b"\xfc" * 16)
    else:
        head = struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            tos,
            20 + len(upper),
            ident,
            0,
            ttl,
            protocol,
            ttl * 257,
            b"\x0a\0\0\1",
            b"\x0a\0\0\2",
        )
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    out = macs[1] + macs[0] + tag + (b"\x86\xdd" if six else b"\x08\x00") + head + upper
    return out + bytes(max(0, pad - len(out)))


def rtp(number: int) -> bytes:
    """A packet of a video stream."""
    return struct.pack("!BBHII", 0x80, 96, number, 90_000, 0x12345678) + b"picture" * 20


def write(folder: Path, frames: list[twin.Seen], snaplen: int = 0) -> list[Path]:
    """One nanosecond pcap per capture number."""
    paths = []
    for number in range(1 + max((seen.capture for seen in frames), default=0)):
        parts = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 1)]
        for seen in frames:
            if seen.capture == number:
                seconds, rest = divmod(seen.ts_ns, 10**9)
                kept = seen.frame[:snaplen] if snaplen else seen.frame
                parts.append(struct.pack("<IIII", seconds, rest, len(kept), len(seen.frame)) + kept)
        paths.append(folder / f"{number}.pcap")
        paths[-1].write_bytes(b"".join(parts))
    return paths


def watched(paths: list[Path], **options: Any) -> Watched:
    found = engine.read(paths, signatures=SIGNATURES, **options).watched
    assert found is not None
    return found


def plain(found: Watched) -> dict[str, Any]:
    """The sums that the twin knows too."""
    return {item.name: getattr(found, item.name) for item in fields(twin.Sums)}


def at(*steps_us: int, of: list[bytes]) -> list[twin.Seen]:
    return [twin.Seen(START + us * 1000, each) for us, each in zip(steps_us, of, strict=True)]


def one(folder: Path, frames: list[twin.Seen]) -> Watched:
    """What both speeds say, which is the same."""
    paths = write(folder, frames)
    slow, fast = watched(paths, compiled=False), watched(paths, compiled=True)
    assert plain(slow) == plain(fast) == vars(twin.count(frames))
    return fast


def test_the_same_frame_twice_is_one_exact_copy(tmp_path: Path) -> None:
    found = one(tmp_path, at(0, 20, of=[frame(), frame()]))
    assert (found.exact, found.routed, found.relinked, found.copied_wire) == (1, 0, 0, 65)
    assert found.first_copy == (0, 2)


def test_a_lower_ttl_and_other_macs_are_a_routed_copy(tmp_path: Path) -> None:
    found = one(tmp_path, at(0, 300, of=[frame(), frame(ttl=63, macs=(B, A))]))
    assert (found.exact, found.routed) == (0, 1)


def test_another_vlan_is_an_exact_copy_that_was_relinked(tmp_path: Path) -> None:
    found = one(tmp_path, at(0, 20, of=[frame(vlan=10), frame(vlan=20)]))
    assert (found.exact, found.relinked) == (1, 1)


def test_type_of_service_and_checksum_of_the_header_do_not_matter(tmp_path: Path) -> None:
    assert one(tmp_path, at(0, 20, of=[frame(), frame(tos=0xB8)])).exact == 1


@pytest.mark.parametrize(
    "other",
    [
        frame(ident=8),
        frame(content=b"content of two datagram"),
        frame(cksum=0x4321),
        frame(content=b"content"),
        frame(protocol=6),
    ],
    ids=["identification", "payload", "checksum", "length", "protocol"],
)
def test_what_differs_is_no_copy(tmp_path: Path, other: bytes) -> None:
    assert one(tmp_path, at(0, 20, of=[frame(), other])).copies == 0


def test_a_segment_sent_again_has_a_new_identification_and_is_no_copy(tmp_path: Path) -> None:
    assert one(tmp_path, at(0, 20, of=[frame(protocol=6, ident=5), frame(protocol=6, ident=6)])).copies == 0


def test_packets_without_identification_are_not_judged(tmp_path: Path) -> None:
    same = [frame(protocol=6, ident=0), frame(protocol=6, six=True), frame(ident=0), frame(six=True)] * 2
    found = one(tmp_path, at(*range(8), of=same))
    assert (found.judged, found.copies) == (0, 0)


def test_video_without_identification_has_numbers_of_its_own(tmp_path: Path) -> None:
    packets = [frame(six=True, content=rtp(number)) for number in (1, 1, 2)]
    found = one(tmp_path, at(0, 20, 40, of=packets))
    assert (found.judged, found.exact) == (3, 1)


def test_a_length_that_lies_makes_no_giant(tmp_path: Path) -> None:
    lying = bytearray(frame())
    lying[16:18] = struct.pack("!H", 12_336)
    assert watched(write(tmp_path, at(0, 20, of=[bytes(lying), bytes(lying)]))).giants == 0


def test_arp_is_never_a_copy(tmp_path: Path) -> None:
    arp = A + B + b"\x08\x06" + bytes(46)
    assert one(tmp_path, at(0, 20, of=[arp, arp])).judged == 0


def test_the_window_is_ten_packets_and_five_milliseconds(tmp_path: Path) -> None:
    others = [frame(ident=100 + k) for k in range(10)]
    assert one(tmp_path, at(*range(11), of=[frame(), *others[:9], frame()])).copies == 1
    assert one(tmp_path, at(*range(12), of=[frame(), *others, frame()])).copies == 0
    assert one(tmp_path, at(0, 5000, of=[frame(), frame()])).copies == 1
    assert one(tmp_path, at(0, 5001, of=[frame(), frame()])).copies == 0


def test_a_cut_copy_in_another_vlan_is_found(tmp_path: Path) -> None:
    content = bytes(range(200))
    frames = at(0, 20, of=[frame(content=content), frame(content=content, vlan=3)])
    for compiled in (False, True):
        assert watched(write(tmp_path, frames, snaplen=96), compiled=compiled).exact == 1


def test_copies_in_two_files_are_counted_as_such(tmp_path: Path) -> None:
    frames = [twin.Seen(START + k * MS + c * 10_000, frame(ident=k + 1), c) for k in range(20) for c in (0, 1)]
    found = one(tmp_path, frames)
    assert (found.exact, found.across) == (20, 20)
    assert found.first_copy == (1, 1)


def test_giants_are_counted_with_what_they_stand_for(tmp_path: Path) -> None:
    big = frame(protocol=6, content=bytes(20_000))
    back = frame(protocol=6, content=bytes(14_480), macs=(B, A), ident=9)
    found = one(tmp_path, at(0, 20, 40, of=[big, back, frame()]))
    assert (found.giants, found.beyond_jumbo, found.largest) == (2, 2, 20_040)
    assert found.giant_segments == 14 + 10
    assert found.giant_macs == (int.from_bytes(A), int.from_bytes(B))


def test_no_host_is_an_end_of_giants_between_others(tmp_path: Path) -> None:
    macs = [bytes((2, 0, 0, 0, 1, k)) for k in range(4)]
    pairs = [(macs[0], macs[1]), (macs[2], macs[3])]
    frames = [frame(content=bytes(12_000), macs=pair, ident=1 + k) for k, pair in enumerate(pairs)]
    assert one(tmp_path, at(0, 20, of=frames)).giant_macs == ()


def test_senders_of_small_frames_and_their_padding(tmp_path: Path) -> None:
    frames = [frame(content=b"x", pad=0, ident=k + 1) for k in range(5)]
    frames += [frame(content=b"x", macs=(B, A), ident=k + 9) for k in range(3)]
    found = one(tmp_path, at(*range(8), of=frames))
    rows = {int(mac): (int(bare), int(padded)) for mac, bare, padded in found.macs.tolist()}
    assert rows == {int.from_bytes(A): (5, 0), int.from_bytes(B): (0, 3)}


def test_small_frames_of_many_senders_tell_nothing(tmp_path: Path) -> None:
    senders = [bytes((2, 0, 0, 0, 2, k)) for k in range(copies.MAX_MACS + 1)]
    frames = [frame(content=b"x", pad=0, macs=(mac, A), ident=k + 1) for k, mac in enumerate(senders)]
    assert len(one(tmp_path, at(*range(len(frames)), of=frames)).macs) == 0


def test_times_that_jump(tmp_path: Path) -> None:
    times = (0, 2_000, 1_000, 1_950, 15_000, 15_001)
    frames = [twin.Seen(START + ms * MS, frame(ident=k + 1)) for k, ms in enumerate(times)]
    found = one(tmp_path, frames)
    rows = [(int(e["kind"]), int(e["before_ns"]), int(e["ts_ns"]), int(e["record"])) for e in found.events]
    assert rows == [(1, START + 2_000 * MS, START + 1_000 * MS, 3), (2, START + 2_000 * MS, START + 15_000 * MS, 5)]
    assert [row[:3] for row in rows] == twin.events(frames)


def test_events_beyond_the_room_are_only_counted(tmp_path: Path) -> None:
    frames = [twin.Seen(START - k * 1000 * MS, frame(ident=k % 60_000 + 1)) for k in range(copies.MAX_EVENTS + 5)]
    found = watched(write(tmp_path, frames))
    assert (len(found.events), found.event_count) == (copies.MAX_EVENTS, copies.MAX_EVENTS + 4)


def test_the_same_packets_in_two_files_tell_how_far_their_clocks_are_apart(tmp_path: Path) -> None:
    far = 90_000 * MS
    frames = [twin.Seen(START + k * MS + c * far, frame(ident=k + 1), c) for c in (0, 1) for k in range(2000)]
    (offset,) = watched(write(tmp_path, frames)).offsets
    assert (offset.first, offset.second, offset.ns) == (0, 1, far)
    assert offset.matches > 10


def test_packets_of_two_files_that_do_not_meet_tell_nothing(tmp_path: Path) -> None:
    frames = [
        twin.Seen(START + k * MS, frame(ident=k + 1, content=b"%d of %d" % (k, c)), c)
        for c in (0, 1)
        for k in range(2000)
    ]
    assert watched(write(tmp_path, frames)).offsets == []


def test_differences_that_do_not_agree_are_no_offset() -> None:
    rng = np.random.default_rng(1)
    keys = np.arange(1, 101)
    first = np.stack([keys, np.zeros(100, "i8"), keys * MS], axis=1)
    second = np.stack([keys, np.ones(100, "i8"), rng.integers(0, 10**12, 100)], axis=1)
    assert clock_offsets(np.concatenate([first, second]).astype("i8")) == []


def test_fast_looks_at_none_of_it(tmp_path: Path) -> None:
    paths = write(tmp_path, at(0, 20, of=[frame(), frame()]))
    assert engine.read(paths, signatures=SIGNATURES, limits=Limits(follow=False)).watched is None


FRAMES = st.builds(
    frame,
    ident=st.sampled_from([0, 1, 2]),
    ttl=st.sampled_from([1, 63, 64]),
    protocol=st.sampled_from([6, 17]),
    content=st.sampled_from(
        [b"", b"x", b"y", bytes(64), bytes(63) + b"z", bytes(64) + b"z", bytes(2000), bytes(9300), rtp(1), rtp(2)]
    ),
    vlan=st.sampled_from([None, 5]),
    macs=st.sampled_from([(A, B), (B, A)]),
    six=st.booleans(),
    pad=st.sampled_from([0, 60]),
)
STEPS = st.sampled_from([0, 1_000, 4_999_999, 5_000_000, 5_000_001, 20_000_000_000, -99_999_999, -200_000_000])


@settings(max_examples=40)
@given(
    frames=st.lists(st.tuples(FRAMES, STEPS), max_size=40),
    batch=st.sampled_from([1, 3, 10, 11, 4096]),
    compiled=st.booleans(),
)
def test_any_frames_as_the_slow_twin(tmp_path_factory: Any, frames: list[Any], batch: int, compiled: bool) -> None:
    seen, now = [], START
    for data, step in frames:
        now += step
        seen.append(twin.Seen(now, data))
    found = watched(write(tmp_path_factory.mktemp("any"), seen), batch=batch, compiled=compiled)
    assert plain(found) == vars(twin.count(seen))
    rows = [(int(e["kind"]), int(e["before_ns"]), int(e["ts_ns"])) for e in found.events]
    assert rows == twin.events(seen)
    small = {int(mac).to_bytes(6): (int(bare), int(padded)) for mac, bare, padded in found.macs.tolist()}
    assert small == twin.small_frames(seen)


@settings(max_examples=20)
@given(
    picks=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 5), st.sampled_from([0, 1_000, 4_000_000])), max_size=40
    ),
    batch=st.sampled_from([1, 2, 7, 4096]),
    compiled=st.booleans(),
)
def test_any_three_files_as_the_slow_twin(tmp_path_factory: Any, picks: list[Any], batch: int, compiled: bool) -> None:
    seen, now = [], START
    for capture, ident, step in picks:
        now += step + 1  # no two at one time: the order of reading is that of times
        seen.append(twin.Seen(now, frame(ident=ident + 1), capture))
    found = watched(write(tmp_path_factory.mktemp("three"), seen), batch=batch, compiled=compiled)
    assert plain(found) == vars(twin.count(seen))
