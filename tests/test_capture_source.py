"""Where captures come from: compressed files, pipes that trickle, folders, things that are no captures."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lz4.frame
import pytest
import zstandard
from capture_files import codes, pcap_header, pcap_record, read, simple_pcap, simple_pcapng
from hypothesis import given
from hypothesis import strategies as st

from classifier.capture import find_captures, is_capture, open_capture
from classifier.capture.compression import DecompressionError, Inflater
from classifier.capture.source import Source
from classifier.errors import CaptureError, NotACaptureError

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor(write_checksum=True).compress,
    "lz4": lz4.frame.compress,
}
COMPRESSIONS = pytest.mark.parametrize("compression", list(COMPRESSORS))
DATA = simple_pcap(200)
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello"


def inflate(data: bytes, room: int, piece: int = 1000, prompt: bool = True) -> bytes:
    stream = io.BytesIO(data)
    inflater = Inflater(b"", lambda size: stream.read(min(size, piece)), lambda code, text: None, prompt=prompt)
    memory = memoryview(bytearray(room))
    output = bytearray()
    while count := inflater.readinto(memory):
        assert count <= room
        output += memory[:count]
    return bytes(output)


# -- compression


@COMPRESSIONS
@pytest.mark.parametrize("chunk", [1, 100, 5000, 1 << 20])
def test_compressed_captures_are_read_whatever_their_name(tmp_path: Path, compression: str, chunk: int) -> None:
    path = tmp_path / "capture.txt"
    path.write_bytes(COMPRESSORS[compression](DATA))
    found, info = read(path, chunk=chunk)
    assert found == read(DATA)[0]
    assert (info.compression, info.complete, info.problems) == (compression, True, [])
    assert info.size == path.stat().st_size


@COMPRESSIONS
def test_many_members_are_one_file(compression: str) -> None:
    compress = COMPRESSORS[compression]
    parts = [DATA[i : i + 777] for i in range(0, len(DATA), 777)]
    data = b"".join(compress(part) for part in [*parts, b""])
    found, info = read(data)
    assert (found, info.complete) == (read(DATA)[0], True)


def test_members_of_different_kinds_and_skippable_frames() -> None:
    half = len(DATA) // 2
    data = SKIPPABLE + zstandard.compress(DATA[:half]) + SKIPPABLE + lz4.frame.compress(DATA[half:]) + SKIPPABLE
    found, info = read(data)
    assert (found, info.complete, info.compression) == (read(DATA)[0], True, "zstd")


@COMPRESSIONS
@given(
    data=st.binary(max_size=3000), room=st.integers(1, 700), piece=st.integers(1, 400), zeros=st.integers(0, 400_000)
)
def test_inflating_fills_any_room_from_any_pieces(
    compression: str, data: bytes, room: int, piece: int, zeros: int
) -> None:
    content = data + bytes(zeros if room > 100 else 0) + data
    assert inflate(COMPRESSORS[compression](content), room, piece) == content
    assert inflate(COMPRESSORS[compression](content), room, piece, prompt=False) == content


def flushed(pieces: list[bytes]) -> list[bytes]:
    """One zstd frame, in the parts that come out of the compressor after each of the pieces."""
    compressor = zstandard.ZstdCompressor().compressobj()
    parts = [compressor.compress(piece) + compressor.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for piece in pieces]
    return [*parts, compressor.flush()]


def test_many_small_blocks_of_a_file_fill_the_memory_given() -> None:
    pieces = [os.urandom(100) for _ in range(500)]
    stream = io.BytesIO(b"".join(flushed(pieces)))
    inflater = Inflater(b"", stream.read, lambda code, text: None, prompt=True)
    memory = memoryview(bytearray(40_000))
    assert inflater.readinto(memory) == 40_000
    assert memory == b"".join(pieces)[:40_000]


def flushed_gzip(size: int) -> list[bytes]:
    """So many zeros, whole in the first part, then four bytes more."""
    compressor = zlib.compressobj(wbits=31)
    return [compressor.compress(bytes(size)) + compressor.flush(zlib.Z_SYNC_FLUSH), compressor.compress(b"tail")]


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (flushed([bytes(100), bytes(50), bytes(7)]), [100, 50, 7]),
        (flushed_gzip(65_535), [65_535]),
        (flushed_gzip(65_536), [65_536]),
        (flushed_gzip(131_072), [131_072]),
        ([gzip.compress(bytes(100)) + gzip.compress(bytes(200))[:3], gzip.compress(bytes(200))[3:]], [100, 200]),
        ([COMPRESSORS["zstd"](bytes(100)) + bytes(10), bytes(10)], [100]),
    ],
    ids=["zstd_blocks", "gzip_less", "gzip_a_piece", "gzip_two_pieces", "border_of_members", "padding"],
)
def test_what_came_through_a_compressed_pipe_is_given_before_waiting_for_more(
    parts: list[bytes], sizes: list[int]
) -> None:
    waiting, asked = iter(parts), []
    inflater = Inflater(b"", lambda size: asked.append(size) or next(waiting, b""), lambda *note: None, prompt=False)
    memory = memoryview(bytearray(200_000))
    for number, size in enumerate(sizes, 1):
        given = 0
        while given < size:
            given += inflater.readinto(memory)
            assert len(asked) <= number
        assert given == size


@COMPRESSIONS
def test_cut_compressed_files_give_what_is_there(compression: str) -> None:
    noise = pcap_header() + b"".join(pcap_record(os.urandom(60), 1_700_000_000 + i) for i in range(4000))
    whole = COMPRESSORS[compression](noise)
    found, info = read(whole[: len(whole) * 2 // 3])
    assert len(found) > 1000 and found == read(noise)[0][: len(found)]
    assert "compression" in codes(info) and not info.complete
    assert "cut short" in info.problems[-1].message


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_missing_gzip_trailer_is_noticed(cut: int) -> None:
    found, info = read(gzip.compress(DATA)[:-cut])
    assert (len(found), codes(info), info.complete) == (200, ["compression"], False)


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_missing_zstd_checksum_is_noticed(cut: int) -> None:
    found, info = read(COMPRESSORS["zstd"](DATA)[:-cut])
    assert (len(found), codes(info), info.complete) == (200, ["compression"], False)


def test_damaged_gzip_data_gives_everything_before_the_damage() -> None:
    noise = pcap_header() + b"".join(pcap_record(os.urandom(60), 1_700_000_000 + i) for i in range(4000))
    data = bytearray(gzip.compress(noise))
    data[len(data) // 2] ^= 0xFF
    data[len(data) // 2 + 1] ^= 0xFF
    found, info = read(bytes(data))
    assert len(found) > 1800 and found[:1800] == read(noise)[0][:1800]
    assert "compression" in codes(info)
    data = bytearray(gzip.compress(DATA))
    data[-8] ^= 1  # the checksum
    found, info = read(bytes(data))
    assert (len(found), codes(info)) == (200, ["compression"])


@COMPRESSIONS
@given(data=st.data())
def test_mutated_compressed_files_never_raise(compression: str, data: st.DataObject) -> None:
    content = bytearray(COMPRESSORS[compression](simple_pcap(20)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        read(bytes(content), chunk=data.draw(st.sampled_from([50, 1 << 16])))
    except CaptureError as error:
        assert "\n" not in str(error)


def test_what_follows_compressed_data() -> None:
    found, info = read(gzip.compress(DATA) + bytes(5000))
    assert (len(found), info.problems, info.complete) == (200, [], True)
    found, info = read(gzip.compress(DATA) + b"garbage")
    assert (len(found), codes(info), info.complete) == (200, ["trailing"], False)


@pytest.mark.parametrize("name", list(COMPRESSORS))
def test_decompression_bombs_need_no_memory(name: str, tmp_path: Path) -> None:
    """400 MB of zeros in a file of less than 2.5 MB, read a chunk at a time."""
    path = tmp_path / "bomb"
    zeros = bytes(1 << 20)
    member = COMPRESSORS[name](zeros * 40)
    path.write_bytes(COMPRESSORS[name](simple_pcap(5)) + member * 10)
    assert path.stat().st_size < 2_500_000
    source = Source(path)
    tracemalloc.start()
    total = 0
    while True:
        total += source.end - source.start
        source.start = source.end
        if not source.more():
            break
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    source.close()
    assert total == 400 * (1 << 20) + len(simple_pcap(5))
    assert peak < 16 << 20


def test_an_oversized_zstd_block_is_damage() -> None:
    frame = b"\x28\xb5\x2f\xfd\x00\x58" + ((1 << 20) << 3 | 1).to_bytes(4, "little")[:3] + bytes(100)
    with pytest.raises(DecompressionError, match="larger than the format allows"):
        inflate(frame, 1000)


def test_blocks_before_a_damaged_one_are_given() -> None:
    before, *_ = flushed([DATA, DATA])
    for wrong in (((1 << 20) << 3).to_bytes(4, "little")[:3], b"\x06\x00\x00"):  # too large, of no type
        stream = io.BytesIO(before + wrong + bytes(100))
        inflater = Inflater(b"", stream.read, lambda code, text: None, prompt=True)
        memory = memoryview(bytearray(2 * len(DATA)))
        assert memory[: inflater.readinto(memory)] == DATA
        with pytest.raises(DecompressionError):
            inflater.readinto(memory)


def salvaged(data: bytes) -> bytes:
    """What a damaged file gives before the failure is told."""
    stream = io.BytesIO(data)
    inflater = Inflater(b"", stream.read, lambda code, text: None, prompt=True)
    memory, output = memoryview(bytearray(300_000)), bytearray()
    with pytest.raises(DecompressionError):
        while count := inflater.readinto(memory):
            output += memory[:count]
    return bytes(output)


def test_a_long_damaged_zstd_file_loses_no_more_than_eight_blocks_before_the_damage() -> None:
    pieces = [os.urandom(100_000) for _ in range(40)]
    *parts, _ = flushed(pieces)
    content = b"".join(pieces)
    found = salvaged(b"".join(parts) + b"\x06\x00\x00" + bytes(100))
    assert len(content) - len(found) <= 8 * 131_072
    assert found == content[: len(found)]


def test_a_wrong_zstd_checksum_is_told_after_all_that_the_file_holds() -> None:
    content = os.urandom(4_000_000)
    data = bytearray(COMPRESSORS["zstd"](content))
    data[-1] ^= 1
    assert salvaged(bytes(data)) == content


# -- pipes and streams


def trickle(data: bytes, sizes: list[int], pause: float = 0.0) -> Any:
    """A pipe into which a thread writes `data` in pieces; the reading end."""
    reading, writing = os.pipe()

    def write() -> None:
        at = 0
        with os.fdopen(writing, "wb", buffering=0) as sink:
            for size in [*sizes, len(data)]:
                if at >= len(data):
                    break
                sink.write(data[at : at + size])
                at += size
                time.sleep(pause)

    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reading, "rb")


@pytest.mark.parametrize("make", [simple_pcap, simple_pcapng])
def test_a_slow_pipe_gives_its_records_at_once(make: Callable[[int], bytes]) -> None:
    data = make(3)
    reading, writing = os.pipe()
    got: list[int] = []
    arrived = threading.Event()

    def consume() -> None:
        with os.fdopen(reading, "rb") as stream, open_capture(stream) as reader:
            for batch in reader.batches():
                got.append(len(batch))
                arrived.set()

    consumer = threading.Thread(target=consume, daemon=True)
    consumer.start()
    record = (len(data) - len(make(2)),)[0]
    with os.fdopen(writing, "wb", buffering=0) as sink:
        sink.write(data[: -2 * record + 10])  # one record whole, one begun
        assert arrived.wait(10), "the first record must not wait for the second"
        assert sum(got) == 1
        arrived.clear()
        sink.write(data[-2 * record + 10 : -5])
        assert arrived.wait(10)
        assert sum(got) == 2
        sink.write(data[-5:])
    consumer.join(10)
    assert sum(got) == 3


@pytest.mark.parametrize("compression", [None, *COMPRESSORS])
def test_pipes_give_what_files_give(compression: str | None) -> None:
    data = simple_pcapng(3000)
    sent = COMPRESSORS[compression](data) if compression else data
    sizes = [1, 2, 3, 20, 1, 100, 5000, 70_000, 1]
    with trickle(sent, sizes) as stream:
        found, info = read(stream, chunk=10_000)
    assert found == read(data)[0]
    assert (info.complete, info.path, info.size) == (True, "-", None)


def test_standard_input_is_named_dash(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(simple_pcap(7))
    script = (
        "from classifier.capture import open_capture\n"
        "with open_capture('-') as r:\n"
        "    for b in r.batches(): pass\n"
        "print(r.info.packets, r.info.path, r.size, r.bytes_read, r.info.complete)"
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    with path.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", script], stdin=stdin, capture_output=True, text=True, check=True, env=environment
        )
    size = path.stat().st_size
    assert done.stdout.split() == ["7", "-", str(size), str(size), "True"]
    done = subprocess.run(
        [sys.executable, "-c", script], input=path.read_bytes(), capture_output=True, check=True, env=environment
    )
    assert done.stdout.split() == [b"7", b"-", b"None", str(size).encode(), b"True"]


def test_a_program_that_ends_while_a_pipe_is_open_ends_cleanly() -> None:
    """The reading thread still waits for the pipe then (Ctrl-C on a live capture)."""
    script = (
        "import threading, time\n"
        "from classifier.capture import open_capture\n"
        "batches = open_capture('-').batches()\n"
        "print(len(next(batches)), flush=True)\n"
        "threading.Thread(target=lambda: next(batches), daemon=True).start()\n"
        "time.sleep(0.3)"
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parent.parent))
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
    ) as program:
        assert program.stdin and program.stdout and program.stderr
        program.stdin.write(simple_pcap(3))
        program.stdin.flush()
        assert program.stdout.readline() == b"3\n"
        assert program.wait(60) == 0
        assert program.stderr.read() == b""


class Awkward(io.RawIOBase):
    """A stream that gives nothing now and then, and at most 11 bytes."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)
        self._turn = 0

    def readable(self) -> bool:
        return True

    def readinto(self, view: Any) -> int | None:
        self._turn += 1
        if self._turn % 50 == 0:
            return None
        piece = self._inner.read(min(11, len(view)))
        view[: len(piece)] = piece
        return len(piece)


class Broken(Awkward):
    """... and breaks in the middle."""

    def readinto(self, view: Any) -> int | None:
        if self._turn > 100:
            raise OSError(5, "Input/output error")
        return super().readinto(view)


def test_streams_without_data_for_a_moment() -> None:
    found, info = read(Awkward(simple_pcap(30)))
    assert (len(found), info.complete) == (30, True)


def test_an_error_of_the_system_ends_the_capture_and_is_named() -> None:
    found, info = read(Broken(simple_pcap(30)))
    assert (0 < len(found) < 30, info.complete) == (True, False)
    assert info.problems[-1].code == "io" and "Input/output error" in info.problems[-1].message


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header() + pcap_record(bytes(1000)) * 3000)
    with open_capture(path, chunk=10_000) as reader:
        batches = reader.batches()
        next(batches)
        os.truncate(path, 200_000)
        for _ in batches:
            pass
    assert reader.info.packets < 3000
    assert codes(reader.info)[-1] == "shrunk" and not reader.info.complete


def test_a_file_that_grows_while_it_is_read_is_read_to_its_new_end(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header() + pcap_record(bytes(1000)) * 300)
    with open_capture(path, chunk=1000) as reader:
        batches = reader.batches()
        next(batches)
        with path.open("ab") as more:
            more.write(pcap_record(bytes(1000)) * 10)
        for _ in batches:
            pass
    assert (reader.info.packets, reader.info.complete) == (310, True)


def test_closing_early_ends_the_reading_thread(tmp_path: Path) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header() + pcap_record(bytes(1000)) * 3000)
    reader = open_capture(path, chunk=10_000)
    next(reader.batches())
    assert any(t.name == "capture-reader" for t in threading.enumerate())
    reader.close()
    reader.close()
    assert not any(t.name == "capture-reader" for t in threading.enumerate())


def test_errors_of_the_reading_thread_reach_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.pcap"
    path.write_bytes(pcap_header() + pcap_record(bytes(1000)) * 300)
    source = Source(path, chunk=5000)

    def fail(view: memoryview) -> int:
        raise MemoryError("for the test")

    monkeypatch.setattr(source, "_pull", fail)
    with pytest.raises(MemoryError, match="for the test"):
        source.more()
    source.close()


@given(
    data=st.binary(max_size=4000).map(lambda data: b"plain" + data),
    chunk=st.integers(1, 700),
    steps=st.lists(st.integers(0, 2000), max_size=30),
)
def test_the_window_slides_over_all_bytes(data: bytes, chunk: int, steps: list[int]) -> None:
    source = Source(io.BytesIO(data), chunk=chunk)
    seen = bytearray()
    steps = list(steps)
    while True:
        assert source.offset + source.start == len(seen)
        window = source.buffer[source.start : source.end].tobytes()
        assert data[len(seen) : len(seen) + len(window)] == window
        used = min(steps.pop() if steps else len(window), len(window))
        seen += window[:used]
        source.start += used
        if not source.more():
            break
    assert data == bytes(seen) + source.buffer[source.start : source.end].tobytes()
    source.close()


# -- what is no capture

NOT_CAPTURES = {
    "empty": (b"", "is empty"),
    "text": (b"hello world, this is a text file\n" * 10, "is a text file"),
    "html": (b"<!DOCTYPE html><html>", "is a text file"),
    "utf16": ("hello".encode("utf-16"), "is a text file"),
    "snoop": (
        b"snoop\0\0\0\0\0\0\x02\0\0\0\x04",
        "Solaris snoop capture; convert it with Wireshark's editcap: editcap",
    ),
    "netmon": (b"GMBU\0\x02\x01\0", "Network Monitor 2 capture; convert it with Wireshark's editcap"),
    "netmon1": (b"RTSS\x01\x01", "Network Monitor 1 capture; convert it with Wireshark's editcap"),
    "erf": (bytes.fromhex("00000000c0fa5365 02040050 0000 0040") + bytes(64), "Endace ERF capture"),
    "zip": (b"PK\x03\x04" + bytes(50), "is a zip archive; unpack it"),
    "xz": (b"\xfd7zXZ\0" + bytes(20), "xz-compressed; decompress it first: unxz"),
    "bz2": (b"BZh91AY&SY" + bytes(20), "bzip2-compressed"),
    "twice": (gzip.compress(gzip.compress(simple_pcap(2))), "compressed twice"),
    "gzip-text": (gzip.compress(b"some text"), "is a text file inside the gzip compression"),
    "gzip-broken": (b"\x1f\x8b\x08" + b"\xff" * 30, "cannot be read"),
    "gzip-cut": (gzip.compress(simple_pcap(2))[:11], "cannot be read"),
    "pcap-cut": (simple_pcap(1)[:23], "starts like a pcap file, but ends inside the file header"),
    "pcapng-cut": (simple_pcapng(1)[:9], "starts like a pcapng file"),
    "zeros": (bytes(500), "begins with zeros"),
    "binary": (b"\x93\x01\x02\x03" * 20, "is not a capture (pcap and pcapng are read; first bytes 93 01 02 03)"),
    "short": (b"\xd4\xc3", "is not a capture"),
}


@pytest.mark.parametrize("kind", list(NOT_CAPTURES))
def test_other_files_are_refused_with_one_sentence(tmp_path: Path, kind: str) -> None:
    content, expected = NOT_CAPTURES[kind]
    path = tmp_path / "thing.pcap"
    path.write_bytes(content)
    with pytest.raises(CaptureError) as caught:
        open_capture(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and expected in message and "\n" not in message
    assert isinstance(caught.value, NotACaptureError) == (not expected.startswith("cannot"))
    assert not is_capture(path)
    with pytest.raises(CaptureError, match=r"^-: "):
        open_capture(io.BytesIO(content))


def test_a_windows_trace_gets_its_own_advice(tmp_path: Path) -> None:
    path = tmp_path / "trace.etl"
    path.write_bytes(b"\x00\x00\x01\x00" + bytes(40) + b"\x01")
    with pytest.raises(NotACaptureError, match=r"pktmon etl2pcap trace\.etl$"):
        open_capture(path)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=r"missing.pcap: no such file$"):
        open_capture(tmp_path / "missing.pcap")
    with pytest.raises(CaptureError, match="is a folder"):
        open_capture(tmp_path)
    with pytest.raises(CaptureError, match="cannot be opened"):
        open_capture("a\0b")


def test_no_permission_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CaptureError, match="no permission to read it"):
        open_capture(tmp_path / "a.pcap")


def test_a_terminal_is_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.BytesIO):
        def isatty(self) -> bool:
            return True

    with pytest.raises(CaptureError, match="is a terminal"):
        open_capture(Terminal())


# -- folders


def test_folders_give_their_captures_by_content(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(simple_pcap(1))
    (tmp_path / "a.dump").write_bytes(gzip.compress(simple_pcapng(1)))
    (tmp_path / "c.txt").write_text("no capture")
    (tmp_path / ".hidden.pcap").write_bytes(simple_pcap(1))
    (tmp_path / "deeper").mkdir()
    (tmp_path / "deeper" / "d.pcap").write_bytes(simple_pcap(1))
    assert find_captures([tmp_path]) == [str(tmp_path / "a.dump"), str(tmp_path / "b.bin")]
    assert find_captures(["-", "missing", str(tmp_path / "deeper")]) == [
        "-",
        "missing",
        str(tmp_path / "deeper" / "d.pcap"),
    ]


def test_a_folder_without_captures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="is a folder without captures"):
        find_captures([tmp_path])
