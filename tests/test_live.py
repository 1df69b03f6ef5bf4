"""Live captures: growing files, pipes of writers that are still at work, and Ctrl-C for both ends of the pipe."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import pcap_header, simple_pcap, simple_pcapng

from classifier.interrupt import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "classifier", "-", "--format", "json", "--section", "quality"]
POLL_S = 0.02

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals and pipes")
MAKERS = pytest.mark.parametrize("make", [simple_pcap, simple_pcapng], ids=["pcap", "pcapng"])


def start(stdin: Any, *, group: bool = False) -> subprocess.Popen[bytes]:
    """The command, reading `stdin`; with `group`, a process group of its own as a shell's job has."""
    return subprocess.Popen(
        COMMAND,
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        process_group=0 if group else None,
    )


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(POLL_S)


def drained(process: subprocess.Popen[bytes]) -> Callable[[], bool]:
    """Whether the command waits in its reading thread: it has taken the bytes, and two threads exist."""
    return lambda: len(list(Path(f"/proc/{process.pid}/task").iterdir())) >= 2


def unread(descriptor: int) -> int:
    """Bytes in a pipe that nobody has read."""
    import array
    import fcntl
    import termios

    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def finished(process: subprocess.Popen[bytes]) -> tuple[int, dict[str, Any], bytes]:
    out, err = process.communicate(timeout=240)
    assert b"Traceback" not in err, err
    return process.returncode, json.loads(out) if out else {}, err


def problem_codes(document: dict[str, Any]) -> set[str]:
    return {problem["code"] for problem in document["captures"][0]["problems"]}


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        try:
            os.close(end)
        except OSError:
            continue


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@MAKERS
def test_ctrl_c_reports_every_record_of_a_writer_that_goes_on(
    make: Callable[[int], bytes], pipe: tuple[int, int]
) -> None:
    """40 whole records and half of the next one are in the pipe; the writer neither ends nor writes."""
    reading, writing = pipe
    data = make(41)
    process = start(reading)
    os.write(writing, data[:-20])
    until(lambda: unread(reading) == 0 and drained(process)())
    time.sleep(0.3)
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, document, _ = finished(process)
    assert time.monotonic() - begin < PATIENCE_S + 200  # the kernels may have to be compiled first
    assert code == 130
    assert document["totals"]["packets"] == 40
    assert "interrupted" in problem_codes(document)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@MAKERS
def test_what_a_writer_flushes_when_it_is_ended_too_is_counted(
    make: Callable[[int], bytes], pipe: tuple[int, int]
) -> None:
    """In a shell Ctrl-C goes to tcpdump as well, which then writes what it still holds: it comes after the signal."""
    reading, writing = pipe
    data = make(40)
    process = start(reading)
    os.write(writing, data[:500])
    until(lambda: unread(reading) == 0 and drained(process)())
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(PATIENCE_S / 5)
    os.write(writing, data[500:])
    os.close(writing)
    code, document, _ = finished(process)
    assert (code, document["totals"]["packets"]) == (130, 40)
    assert problem_codes(document) == {"interrupted"}
    assert document["captures"][0]["complete"]  # the input ended by itself, at the end of a record


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_writer_that_sends_nothing_before_ctrl_c(pipe: tuple[int, int]) -> None:
    """tcpdump without -U keeps even the file header until 4 KiB are full, or it is ended."""
    reading, writing = pipe
    process = start(reading)
    until(lambda: unread_by(process))
    time.sleep(1.5)  # it has come as far as waiting for the header
    process.send_signal(signal.SIGINT)
    time.sleep(PATIENCE_S / 5)
    os.write(writing, simple_pcap(7))
    os.close(writing)
    code, document, _ = finished(process)
    assert (code, document["totals"]["packets"]) == (130, 7)


def unread_by(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process sleeps, having started."""
    return "numpy" in Path(f"/proc/{process.pid}/maps").read_text()


def test_ctrl_c_before_anything_came_ends_soon(pipe: tuple[int, int]) -> None:
    process = start(pipe[0])
    until(lambda: not Path("/proc/self/maps").exists() or unread_by(process))
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 130
    process.communicate()


def test_a_writer_that_never_stops_does_not_keep_ctrl_c_waiting(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    process = start(reading)
    stop = threading.Event()

    def write() -> None:
        body = simple_pcap(2000)[24:]
        os.write(writing, pcap_header())
        while not stop.is_set():
            try:
                os.write(writing, body)
            except OSError:
                return

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(4)
    os.close(reading)  # this process's copy: the writer notices when the command is gone
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    code, document, _ = finished(process)
    took = time.monotonic() - begin
    stop.set()
    thread.join()
    assert code == 130
    assert took < 200  # the kernels may have to be compiled first
    totals, (capture,) = document["totals"], document["captures"]
    assert totals["packets"] == capture["packets"] == sum(row["packets"] for row in document["components"])
    assert "interrupted" in problem_codes(document)


@pytest.mark.skipif(shutil.which("tail") is None, reason="needs tail")
@MAKERS
def test_tail_follows_a_growing_file(make: Callable[[int], bytes], tmp_path: Path) -> None:
    """`tail -c +1 -f growing | classify -`: Ctrl-C, which reaches both, prints what has been written so far."""
    path = tmp_path / "growing"
    data = make(300)
    path.write_bytes(data[:1000])
    tail = subprocess.Popen(["tail", "-c", "+1", "-f", str(path)], stdout=subprocess.PIPE, process_group=0)
    assert tail.stdout is not None
    process = start(tail.stdout, group=True)
    with path.open("ab", buffering=0) as growing:
        for at in range(1000, len(data) - 30, 997):  # pieces that end inside records
            growing.write(data[at : min(at + 997, len(data) - 30)])
            time.sleep(0.005)
    time.sleep(4)  # tail looks once a second where it is not told; the command has started by then
    for each in (process, tail):
        os.killpg(each.pid, signal.SIGINT)
    tail.stdout.close()
    code, document, _ = finished(process)
    tail.wait(timeout=20)
    assert code == 130
    assert document["totals"]["packets"] == 299
    assert problem_codes(document) == {"interrupted", "cut"}  # the 300th is there in part


@MAKERS
def test_a_file_whose_writer_is_still_at_work_is_cut(make: Callable[[int], bytes], tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(make(50)[:-7])
    process = subprocess.Popen([*COMMAND[:3], str(path), *COMMAND[4:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    code, document, _ = finished(process)
    assert (code, document["totals"]["packets"], problem_codes(document)) == (4, 49, {"cut"})
    (problem,) = document["captures"][0]["problems"]
    assert problem["record"] == 50
    assert "the file ends inside a" in problem["message"]
