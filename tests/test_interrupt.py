"""Ctrl-C: the batch at work is counted as a whole, the report's sums stay exact."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import classifier
from classifier.interrupt import Interruption

SAMPLE = Path(__file__).parent.parent / "captures" / "recorded_site.pcap"


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_at_work_waits_for_the_end_of_the_batch() -> None:
    done = []

    def work() -> None:
        with Interruption() as interruption:
            for item in interruption.batches([1, 2, 3]):
                interrupt()
                done.append(item)  # still runs: the signal waits

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [1]


def test_a_signal_while_waiting_for_input_ends_it_at_once() -> None:
    def waiting() -> Iterator[int]:
        yield 1
        interrupt()
        yield 2

    seen = []
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        seen += list(interruption.batches(waiting()))
    assert seen == []


def test_a_second_signal_does_not_wait() -> None:
    def impatient() -> None:
        with Interruption() as interruption:
            for _ in interruption.batches([1]):
                interrupt()
                interrupt()
                pytest.fail("the second signal did not end the batch")

    with pytest.raises(KeyboardInterrupt):
        impatient()


def test_outside_of_a_pass_the_handler_is_as_before() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Interruption():
        assert signal.getsignal(signal.SIGINT) is not before
    assert signal.getsignal(signal.SIGINT) is before


def test_another_thread_does_not_touch_the_handler() -> None:
    found = []

    def run() -> None:
        with Interruption():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


def test_the_report_of_an_interrupted_pass_sums_to_what_was_read() -> None:
    def progress(done: int, total: int | None, packets: int) -> None:
        interrupt()

    report = classifier.classify([SAMPLE] * 12, progress=progress, batch=50)
    info = report.captures
    assert 0 < report.totals["packets"] == sum(i.packets for i in info)
    assert report.totals["wire_bytes"] == sum(i.wire_bytes for i in info)
    assert report.totals["packets"] == sum(r["packets"] for r in report.rows("components"))
    assert {p.code for i in info for p in i.problems} == {"interrupted"}
    assert not report.complete
