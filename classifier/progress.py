"""The progress line on stderr while a long capture is read.

In: calls `progress(bytes_done, bytes_total or None, packets)` from the engine, once per batch or so.
Out: one line that rewrites itself: how much, how fast, how long still. Nothing for the first second, nothing
at all unless the stream is a terminal. The caller ends it with `close()` before anything else is printed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TextIO

from classifier import units

PATIENCE_S = 1.0
"""Reading shorter than this shows nothing."""
INTERVAL_S = 0.1
BAR = 20


class Progress:
    """A rewriting line; calling it is cheap (one clock reading) between two redraws."""

    def __init__(
        self,
        stream: TextIO,
        *,
        enabled: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
        columns: int | None = None,
    ) -> None:
        self._stream = stream
        self._enabled = is_terminal(stream) if enabled is None else enabled
        self._clock = clock
        self._columns = columns
        self._start = clock()
        self._next = self._start + PATIENCE_S
        self._shown = 0
        self._full, self._empty = _bar_characters(stream)

    def __call__(self, done: int, total: int | None, packets: int) -> None:
        """Bytes read so far, of how many (None when unknown), packets so far."""
        if not self._enabled:
            return
        now = self._clock()
        if now < self._next:
            return
        self._next = now + INTERVAL_S
        self._draw(self.line(done, total, packets, now - self._start))

    def line(self, done: int, total: int | None, packets: int, elapsed: float) -> str:
        """The line's text after `elapsed` seconds (> 0)."""
        speed = done / elapsed
        parts = []
        if total:
            share = min(1.0, done / total)
            filled = int(share * BAR)
            parts.append(f"{int(share * 100):3d} %  {self._full * filled}{self._empty * (BAR - filled)}")
            parts.append(f"{units.size(done)} of {units.size(total)}")
        else:
            parts.append(f"reading  {units.size(done)}")
        parts.append(units.counted(packets, "packet"))
        parts.append(f"{units.size(speed)}/s")
        if total and done > 0:
            left = round(max(0, total - done) / speed)
            parts.append(f"{left} s left" if left < 60 else f"{units.span(left * 1_000_000_000)} left")
        return "  ".join(parts)

    def _draw(self, text: str) -> None:
        width = (self._columns or _columns(self._stream)) - 1  # the last column would wrap the line
        text = text[:width]
        self._write("\r" + text + " " * (self._shown - len(text)))
        self._shown = len(text)

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._enabled = False  # the terminal went away: reading goes on

    def close(self) -> None:
        """Wipe the line; later calls draw nothing."""
        if self._shown and self._enabled:
            self._draw("")
            self._write("\r")
        self._enabled = False
        self._shown = 0


def is_terminal(stream: object) -> bool:
    """Whether `stream` is an open stream on a terminal."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def _columns(stream: TextIO) -> int:
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError, AttributeError):
        return 80


def _bar_characters(stream: TextIO) -> tuple[str, str]:
    try:
        "█░".encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "#", "."
    return "█", "░"
