"""The progress line: late, brief, gone at the end, and only on a terminal."""

from __future__ import annotations

import io

from classifier.progress import Progress


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(stream: io.StringIO, columns: int = 100) -> tuple[Progress, Clock]:
    clock = Clock()
    return Progress(stream, clock=clock, columns=columns), clock


def test_nothing_in_the_first_second() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 0.9
    progress(10, 100, 1)
    progress.close()
    assert stream.getvalue() == ""


def test_nothing_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    progress, clock = make(stream)
    clock.now += 9
    progress(10, 100, 1)
    progress.close()
    assert stream.getvalue() == ""


def test_how_much_how_fast_how_long_still() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 4
    progress(1_000_000_000, 2_500_000_000, 1_200_000)
    line = stream.getvalue()
    for part in (" 40 %", "1.00 GB of 2.50 GB", "1,200,000 packets", "250 MB/s", "6 s left"):
        assert part in line, line


def test_without_a_known_size_there_is_no_share_and_no_end() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 2
    progress(4_000_000, None, 5)
    assert "%" not in stream.getvalue()
    assert "left" not in stream.getvalue()
    assert "2.00 MB/s" in stream.getvalue()


def test_it_redraws_ten_times_a_second_at_most() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 1
    for n in range(1000):
        clock.now += 0.001
        progress(n, 1000, n)
    assert 5 <= stream.getvalue().count("\r") <= 11


def test_a_shorter_line_wipes_a_longer_one_and_the_end_wipes_all() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 5
    progress(999_999_999, None, 123_456_789)
    clock.now += 5
    progress(1, None, 1)
    lines = stream.getvalue().split("\r")
    assert len(lines[1]) == len(lines[2])
    progress.close()
    last = stream.getvalue().split("\r")
    assert last[-1] == ""
    assert last[-2].strip() == ""
    clock.now += 5
    progress(2, None, 2)
    assert stream.getvalue().split("\r") == last


def test_it_never_wraps_on_a_narrow_terminal() -> None:
    stream = Terminal()
    progress, clock = make(stream, columns=40)
    clock.now += 5
    progress(10**9, 3 * 10**9, 10**8)
    assert max(map(len, stream.getvalue().split("\r"))) == 39


def test_nothing_read_and_more_than_all_are_survived() -> None:
    stream = Terminal()
    progress, clock = make(stream)
    clock.now += 5
    progress(0, 100, 0)
    clock.now += 5
    progress(200, 100, 1)
    assert "100 %" in stream.getvalue()
    assert "0 s left" in stream.getvalue()


def test_a_terminal_that_goes_away_does_not_stop_the_reading() -> None:
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    progress, clock = make(Gone())
    clock.now += 5
    progress(10, 100, 1)
    clock.now += 5
    progress(20, 100, 2)
    progress.close()


def test_a_stream_without_block_characters_gets_ascii() -> None:
    stream = Terminal()
    stream.encoding = "ascii"  # type: ignore[misc]
    progress, clock = make(stream)
    clock.now += 5
    progress(50, 100, 1)
    assert "##" in stream.getvalue()
    assert stream.getvalue().isascii()
