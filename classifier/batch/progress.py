"""The progress of a batch on stderr: captures, bytes, time left.

In: calls from `run`. Out: one line that rewrites itself on a terminal; elsewhere (a log) a line of its own at times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

from classifier import units
from classifier.progress import BAR, Progress, is_terminal

LOG_S = 30.0
EACH = 1 << 20
"""What a capture costs besides its bytes, in bytes: tables, files, hand-over."""


class BatchProgress(Progress):
    """`show(...)` as often as wanted; it draws now and then. Quiet when not `enabled`."""

    def __init__(
        self, stream: TextIO, *, enabled: bool = True, clock: Callable[[], float] = time.monotonic, columns: int = 0
    ) -> None:
        super().__init__(stream, enabled=enabled, clock=clock, columns=columns or None)
        self._terminal = is_terminal(stream)
        self._base: tuple[float, int] | None = None  # when the first bytes were done, and what they cost
        if not self._terminal:
            self._next = self._start + LOG_S

    def show(self, captures: int, of: int, done: int, total: int, broken: int) -> None:
        """Captures and bytes done, of how many; `broken`: captures with problems."""
        if not self._enabled:
            return
        now = self._clock()
        if self._base is None and captures + done:
            self._base = now, done + captures * EACH
        if now < self._next and not (captures == of and self._shown):
            return
        text = self.text(captures, of, done, total, broken, max(now - self._start, 1e-9))
        if self._terminal:
            self._next = now + 0.1
            self._draw(text)
        else:
            self._next = now + LOG_S
            self._write(f"classify: {text}\n")

    def wipe(self) -> None:
        """Make room for something else on the terminal; the line comes again."""
        if self._shown and self._enabled:
            self._draw("")
            self._write("\r")
            self._shown = 0

    def text(self, captures: int, of: int, done: int, total: int, broken: int, elapsed: float) -> str:
        """The line after `elapsed` seconds (> 0)."""
        cost, all_cost = done + captures * EACH, total + of * EACH
        share = min(1.0, cost / all_cost) if all_cost else 1.0
        parts = []
        if self._terminal:
            filled = int(share * BAR)
            parts.append(f"{int(share * 100):3d} %  {self._full * filled}{self._empty * (BAR - filled)}")
        else:
            parts.append(f"{int(share * 100)} %")
        parts.append(f"{captures:,} of {units.counted(of, 'capture')}")
        parts.append(f"{units.size(done)} of {units.size(total)}")
        parts.append(f"{units.size(done / elapsed)}/s")
        if broken:
            parts.append(f"{broken:,} with problems")
        # what came before the first bytes (starting, compiling) does not come again
        since, base = self._base or (self._start, 0)
        took = self._start + elapsed - since
        if took >= 1 and cost > base and share < 1:
            left = round(took / (cost - base) * (all_cost - cost))
            parts.append(f"{left} s left" if left < 60 else f"{units.span(left * 1_000_000_000)} left")
        return "  ".join(parts)
