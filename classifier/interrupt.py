"""Ctrl-C during a pass: it ends the reading, between two batches.

In: nothing. Out: `Interruption`, a context that takes SIGINT while a pass runs in the main thread. While the pass waits
for input the signal raises KeyboardInterrupt at once; while it works on a batch the signal waits until the batch is
counted as a whole, so that the report's sums stay exact. A second Ctrl-C does not wait.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")


class Interruption:
    """Defers SIGINT while a batch is worked on. Leaves another program's own handler alone."""

    def __init__(self) -> None:
        self._waiting = False
        self._asked = False
        self._previous: Any = None

    def __enter__(self) -> Interruption:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._waiting or self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def batches(self, source: Iterable[T]) -> Iterator[T]:
        """What `source` gives; KeyboardInterrupt is raised while it is waited for, or before, never after."""
        items = iter(source)
        while True:
            self._waiting = True
            try:
                if self._asked:
                    raise KeyboardInterrupt
                item = next(items, None)
            finally:
                self._waiting = False
            if item is None:
                return
            yield item
