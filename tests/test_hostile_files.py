"""Inputs that change under us, outputs that cannot be written."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from capture_files import T0, enhanced, interface, pcap_header, pcap_record, section, simple_pcap
from hostile import MIB, ROOT, udp_packets, write_pcap

from classifier import engine
from classifier.render import json as as_json

SAMPLE = ROOT / "captures" / "neighbours.pcapng"


@pytest.mark.damaged
def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    """30 MB when opened, cut to 12 MB at the first sign of progress: no bus error, a problem, right sums."""
    rows = udp_packets(500_000)
    path = write_pcap(tmp_path / "shrinking.pcap", rows)
    size = path.stat().st_size
    left = 12 * MIB
    told: list[int] = []

    def shrink(done: int, total: int | None, packets: int) -> None:
        if not told:
            os.truncate(path, left)
        told.append(done)

    report = engine.classify(path, progress=shrink)
    assert told
    assert size > 2 * left
    (info,) = report.captures
    assert "shrunk" in [problem.code for problem in info.problems]
    assert not report.complete
    assert 0 < report.totals["packets"] < len(rows)
    assert sum(row["packets"] for row in report.rows("components")) == report.totals["packets"]


@pytest.mark.damaged
@pytest.mark.parametrize("byte", [0xFF, 0x00, 0x41])
def test_a_file_that_is_overwritten_while_it_is_read(byte: int, tmp_path: Path) -> None:
    """Its second half becomes something else, at the same size: what was read before counts, the rest is damage."""
    count = 500_000
    path = write_pcap(tmp_path / "changing.pcap", udp_packets(count))
    size = path.stat().st_size
    told: list[int] = []

    def overwrite(done: int, total: int | None, packets: int) -> None:
        if not told:
            with path.open("r+b") as file:
                file.seek(size // 2)
                file.write(bytes([byte]) * (size - size // 2))
        told.append(done)

    report = engine.classify(path, progress=overwrite)
    (info,) = report.captures
    assert told
    assert info.problems
    assert count // 2 - 1 <= report.totals["packets"] < count
    assert sum(row["packets"] for row in report.rows("components")) == report.totals["packets"] == info.packets


@pytest.mark.damaged
def test_a_file_that_is_replaced_while_it_is_read_is_read_on(tmp_path: Path) -> None:
    """A rotating writer renames a new file over the old one: the old one is what was opened."""
    count = 500_000
    path = write_pcap(tmp_path / "rotating.pcap", udp_packets(count))
    other = write_pcap(tmp_path / "other.pcap", udp_packets(10))
    told: list[int] = []

    def replace(done: int, total: int | None, packets: int) -> None:
        if not told:
            other.replace(path)
        told.append(done)

    report = engine.classify(path, progress=replace)
    assert told
    assert (report.totals["packets"], report.complete) == (count, True)


def test_a_slow_pipe_gives_what_the_file_gives() -> None:
    data = SAMPLE.read_bytes()
    reading, writing = os.pipe()

    def trickle() -> None:
        with os.fdopen(writing, "wb", buffering=0) as sink:
            for at in range(0, len(data), 20_011):
                sink.write(data[at : at + 20_011])
                time.sleep(0.01)

    thread = threading.Thread(target=trickle)
    thread.start()
    with os.fdopen(reading, "rb") as source:
        slow = engine.classify(source).to_dict(("flows",))
    thread.join()
    quick = engine.classify(io.BytesIO(data)).to_dict(("flows",))
    for document in (slow, quick):
        document["captures"][0]["path"] = ""
    assert slow == quick


def classify(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "classifier", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, cwd=ROOT, timeout=120, check=False, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_full_disk_behind_standard_output_is_one_sentence(form: str) -> None:
    with Path("/dev/full").open("wb") as full:
        done = classify(str(SAMPLE), "--format", form, stdout=full)
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs setrlimit")
@pytest.mark.parametrize("before", [None, b"what was there before"])
def test_an_output_file_that_does_not_fit_leaves_no_trace(before: bytes | None, tmp_path: Path) -> None:
    """No file may grow beyond 1,000 bytes here, as on a full disk: the old file stays, no piece of the new is left."""
    import resource

    output = tmp_path / "report.json"
    if before is not None:
        output.write_bytes(before)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = classify(str(SAMPLE), "-o", str(output), stdout=subprocess.DEVNULL, preexec_fn=limit)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(output) in done.stderr
    assert (output.read_bytes() if output.exists() else None) == before
    assert [path.name for path in tmp_path.iterdir()] == ([] if before is None else ["report.json"])


def test_a_disk_that_is_full_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems tell at fsync only."""
    from classifier.render import write_output

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    output = tmp_path / "report.json"
    output.write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_output(output, as_json.render(engine.classify(io.BytesIO(simple_pcap(5)))))
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("report.json", b"before")]


def ip_packets(count: int) -> list[bytes]:
    """Small UDP packets without a link header, from three ports."""
    packets = []
    for number in range(count):
        udp = struct.pack(">HHHH", 40_000 + number % 3, 8600, 28, 0) + bytes(20)
        head = struct.pack(">BBHHHBBHII", 0x45, 0, 48, number, 0, 64, 17, 0, 0x0A000001, 0x0A000002)
        packets.append(head + udp)
    return packets


@pytest.mark.damaged
@pytest.mark.parametrize("backwards", [False, True])
def test_rotated_captures_of_different_kinds_one_of_them_broken(backwards: bool, tmp_path: Path) -> None:
    """Ethernet in a pcap and raw IP in a pcapng, second by second in turn; a third with damage, a fourth destroyed."""
    ethernet = bytes.fromhex("0200000000010200000000020800")
    packets = ip_packets(50)
    third = [pcap_record(ethernet + packet, T0 + 50 + i) for i, packet in enumerate(packets[:30])]
    files = {
        "a.pcap": pcap_header() + b"".join(pcap_record(ethernet + p, T0 + 2 * i) for i, p in enumerate(packets)),
        "b.pcapng": section()
        + interface(101)
        + b"".join(enhanced(p, (T0 + 2 * i + 1) * 10**6) for i, p in enumerate(packets)),
        "c.pcap": pcap_header() + b"".join(third[:10]) + b"\xff" * 300 + b"".join(third[10:])[:-9],
        "d.pcap": b"\xd4\xc3" + bytes(500),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    names = sorted(files, reverse=backwards)
    report = engine.classify([tmp_path / name for name in names])
    read = {Path(info.path).name: info for info in report.captures}
    assert {name: (info.packets, info.complete) for name, info in read.items()} == {
        "a.pcap": (50, True),
        "b.pcapng": (50, True),
        "c.pcap": (29, False),
    }
    assert [problem.code for problem in read["c.pcap"].problems] == ["damaged", "cut"]
    assert [Path(error.path).name for error in report.unreadable] == ["d.pcap"]
    assert (report.totals["packets"], report.totals["duration_ns"]) == (129, 99 * 10**9)
    assert len(report.rows("flows")) == 3  # both link types lead to the same flows
    folder = engine.classify(tmp_path)
    assert folder.rows("flows") == engine.classify([tmp_path / name for name in sorted(files)]).rows("flows")
    assert [Path(error.path).name for error in folder.unreadable] == ["d.pcap"]


def test_a_folder_names_what_is_called_a_capture_and_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").write_bytes(simple_pcap(3))
    for name in ("b.pcap.gz", "c.PCAPNG", "d.cap"):
        (tmp_path / name).write_bytes(b"destroyed\0\1\2")
    for name in ("notes.txt", ".hidden.pcap", "pcap"):
        (tmp_path / name).write_bytes(b"hello")
    report = engine.classify(tmp_path)
    assert [Path(error.path).name for error in report.unreadable] == ["b.pcap.gz", "c.PCAPNG", "d.cap"]
    assert report.totals["packets"] == 3


@pytest.mark.damaged
def test_one_broken_capture_among_good_ones(tmp_path: Path) -> None:
    """The rest still counts; the broken one and the one that is none are named."""
    rows = udp_packets(3000)
    rows["src"] += (np.arange(3000) % 7).astype("u4")
    good = write_pcap(tmp_path / "a.pcap", rows)
    broken = tmp_path / "b.pcap"
    broken.write_bytes(good.read_bytes()[: 24 + 58 * 1000 + 17])
    nothing = tmp_path / "c.pcap"
    nothing.write_bytes(b"\0" * 100)
    report = engine.classify([good, broken, nothing])
    assert [info.packets for info in report.captures] == [3000, 1000]
    assert [error.path for error in report.unreadable] == [str(nothing)]
    assert [problem.code for problem in report.captures[1].problems] == ["cut"]
    document = json.loads(as_json.render(report))
    assert document["unreadable"][0]["path"] == str(nothing)
