"""Ctrl-C during a pass: it ends the reading, between two batches.

In: nothing. Out: `Interruption`, a context that takes SIGINT while a pass runs in the main thread. While the pass waits
for input the signal raises KeyboardInterrupt at once; while it works on a batch the signal waits until the batch is
counted as a whole, so that the report's sums stay exact. A second Ctrl-C does not wait.

Where the input is live (`patient`), Ctrl-C reaches its writer too: tcpdump then writes what it still holds and ends.
So the reading goes on for PATIENCE_S, or until the input ends, and only then is stopped; never while the program is
still loading, with the first records unread.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

T = TypeVar("T")

PATIENCE_S = 0.5
"""How long a live input may still be read after Ctrl-C."""


class Interruption:
    """Defers SIGINT while a batch is worked on. Leaves another program's own handler alone.

    `patient`: the input is live. `idle`: whether the pass waits for input. `asked`: Ctrl-C was pressed.
    """

    def __init__(self, patient: bool = False) -> None:
        self.patient = patient and hasattr(signal, "pthread_kill")
        self.idle: Callable[[], bool] = lambda: True
        self.asked = False
        self._begun = False  # a batch was given
        self._waiting = True  # until there are batches, there is nothing that must be whole
        self._due = False  # the next moment of waiting ends the pass
        self._alarmed = False
        self._alarm: threading.Timer | None = None
        self._previous: Any = None

    def __enter__(self) -> Interruption:
        ours = threading.current_thread() is threading.main_thread()
        if ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._previous = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """From here on Ctrl-C does what it did before; may be called twice."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm.join()
            self._alarm = None
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)
            self._previous = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._alarmed:
            self._alarmed = False
            self._due = self._begun or self.idle()
            if not self._due:
                self._arm()
        elif self.asked:
            raise KeyboardInterrupt
        else:
            self.asked = True
            if self.patient:
                self._arm()
            else:
                self._due = True
        if self._due and self._waiting:
            raise KeyboardInterrupt

    def _arm(self) -> None:
        self._alarm = threading.Timer(PATIENCE_S, self._wake)
        self._alarm.daemon = True
        self._alarm.start()

    def _wake(self) -> None:
        """Time is up: a signal gets the main thread out of whatever it waits for."""
        self._alarmed = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    def batches(self, source: Iterable[T]) -> Iterator[T]:
        """What `source` gives; KeyboardInterrupt is raised while it is waited for, or before, never after."""
        items = iter(source)
        self._waiting = False
        while True:
            self._waiting = True
            try:
                if self._due:
                    raise KeyboardInterrupt
                item = next(items, None)
            finally:
                self._waiting = False
            if item is None:
                return
            self._begun = True
            yield item
