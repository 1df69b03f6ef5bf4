"""Several captures read as one, in time order.

In: paths or streams. Out: `CaptureSet.batches()`, which yields *windows*: lists of (index, RecordBatch, lo, hi), the
rows lo:hi of one batch of one capture. Next: the engine, which decodes each part and orders a window's rows with
`time_order`.

All records of a window come before all records of the next one, so only the rows inside a window need ordering. The
order is that of a stable sort by (time, index of the capture), where a record that is earlier than one before it in
its own file counts as being at that one's time: no file's own order is changed. It does not depend on batch size.

A capture is opened when its first record's time has come, and closed at its end. Where only one is open and the next
has not begun, its batches pass through whole, so rotated files are read at full speed one after another. Where
files overlap, a window goes up to the time at which the first of the open batches ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.capture.model import CaptureInfo, RecordBatch
from classifier.capture.reader import CaptureReader, open_capture
from classifier.capture.source import CHUNK, POOL
from classifier.columns import BATCH
from classifier.errors import CaptureError
from classifier.jit import few_records

Part = tuple[int, RecordBatch, int, int]

PEEK = 65_536
"""Bytes of a file read to know its first time."""
BUFFERS = 64 << 20
"""Where many captures overlap, their chunks get smaller so that about so many bytes of them are in memory."""
KEEP_OPEN = 16
"""Captures that stay open between that and their reading; others are opened again."""

_BEFORE_ALL = -(2**63)


def time_order(window: Sequence[Part]) -> npt.NDArray[np.intp]:
    """The order of a window's rows: indexes into its parts' rows put one after another, in merged time order."""
    if len(window) == 1:
        return np.arange(window[0][3] - window[0][2])
    keys = np.concatenate([_times(batch)[lo:hi] for _index, batch, lo, hi in window])
    return np.argsort(keys, kind="stable")


def _times(batch: RecordBatch) -> npt.NDArray[np.int64]:
    if batch.times is None:
        batch.times = np.maximum.accumulate(batch.records["ts_ns"])
    return batch.times


@dataclass(slots=True)
class _Member:
    """One capture of the set, before, while and after it is read."""

    source: Any
    info: CaptureInfo
    first_ns: int
    reader: CaptureReader | None
    bytes_read: int = 0
    batches: Iterator[RecordBatch] | None = None
    batch: RecordBatch | None = None
    lo: int = 0
    latest: int = _BEFORE_ALL


class CaptureSet:
    """Captures that are read as one.

    `infos`: one CaptureInfo per readable capture, in the order given; a part's index counts in it. `unreadable`: the
    errors of the others.
    """

    def __init__(
        self,
        sources: Sequence[str | os.PathLike[str] | Any],
        *,
        compiled: bool | None = None,
        chunk: int = CHUNK,
        batch: int = BATCH,
    ) -> None:
        """Looks into every capture. Raises the first CaptureError when none can be read."""
        self._compiled, self._chunk, self._batch = compiled, chunk, batch
        self._open_now = 0
        self.unreadable: list[CaptureError] = []
        self._members: list[_Member] = []
        for source in sources:
            try:
                self._members.append(self._look(source, len(sources)))
            except CaptureError as error:
                self.unreadable.append(error)
        if not self._members and self.unreadable:
            raise self.unreadable[0]
        readers = [member.reader for member in self._members]
        small = bool(readers) and all(reader is not None and reader.small for reader in readers)
        self.small = small and (len(readers) == 1 or sum(r.held for r in readers if r is not None) <= few_records())
        if compiled is None and not self.small:
            for member in self._members:
                if member.reader is not None:
                    member.reader.use(True)
            self._compiled = True

    def _look(self, source: Any, count: int) -> _Member:
        again = isinstance(source, str | os.PathLike) and os.fspath(source) != "-"
        keep = not again or count <= KEEP_OPEN
        chunk = self._chunk if keep else min(self._chunk, PEEK)
        reader = open_capture(source, compiled=self._compiled, chunk=chunk, batch=self._batch)
        first = reader.first_ns if count > 1 else None
        member = _Member(source, reader.info, _BEFORE_ALL if first is None else first, reader)
        if not keep:
            reader.close()
            member.reader = None
        return member

    @property
    def infos(self) -> list[CaptureInfo]:
        return [member.info for member in self._members]

    @property
    def compiled(self) -> bool:
        """Whether the kernels should run compiled."""
        return not self.small if self._compiled is None else self._compiled

    @property
    def live(self) -> bool:
        """Whether the input is one that somebody may still be writing: a pipe or a stream."""
        return any(member.reader is not None and member.reader.live for member in self._members)

    def waiting(self) -> bool:
        """Whether the next batch waits for a writer."""
        return any(member.reader is not None and member.reader.waiting for member in self._members)

    @property
    def bytes_read(self) -> int:
        return sum(m.bytes_read if m.reader is None else m.reader.bytes_read for m in self._members)

    @property
    def size(self) -> int | None:
        """Bytes of all captures together, None when one of them has no known size."""
        sizes = [member.info.size for member in self._members]
        return None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)

    def batches(self) -> Iterator[list[Part]]:
        """Windows of records, in time order; to be read once. A window's buffers hold until the next one."""
        if len(self._members) == 1:
            yield from self._single(self._members[0])
            return
        waiting = sorted(range(len(self._members)), key=lambda i: (self._members[i].first_ns, i))
        waiting.reverse()  # the earliest at the end
        active: list[int] = []  # ascending
        while True:
            for index in list(active):
                if not self._fill(index):
                    active.remove(index)
            while waiting and (not active or self._members[waiting[-1]].first_ns <= self._reach(active)):
                index = waiting.pop()
                self._open(index)
                if self._fill(index):
                    active.append(index)
                    active.sort()
            if not active:
                return
            yield self._window(active)

    def _single(self, member: _Member) -> Iterator[list[Part]]:
        assert member.reader is not None
        for batch in member.reader.batches():
            yield [(0, batch, 0, len(batch))]
        self._done(member)

    def _reach(self, active: list[int]) -> int:
        """Time at which the first of the open batches ends."""
        return min(self._last(self._members[i]) for i in active)

    @staticmethod
    def _last(member: _Member) -> int:
        assert member.batch is not None
        return int(_times(member.batch)[-1])

    def _window(self, active: list[int]) -> list[Part]:
        """The parts up to where the first of the open batches ends; their rows are used up."""
        members = self._members
        limit = self._reach(active)
        # the batch that ends first is used up; captures after it must leave rows of that very time for later,
        # since its next batch may have some, and they come first
        closing = next(i for i in active if self._last(members[i]) == limit)
        parts: list[Part] = []
        for index in active:
            member = members[index]
            assert member.batch is not None
            lo, times = member.lo, _times(member.batch)
            if index == closing:
                hi = len(times)
            else:
                hi = int(np.searchsorted(times, limit, side="right" if index < closing else "left"))
            if hi > lo:
                parts.append((index, member.batch, lo, hi))
                member.lo = hi
        return parts

    def _open(self, index: int) -> None:
        member = self._members[index]
        if member.reader is None:
            try:
                chunk = min(self._chunk, max(BUFFERS // (POOL * (1 + self._open_now)), PEEK))
                reader = open_capture(member.source, compiled=self.compiled, chunk=chunk, batch=self._batch)
            except CaptureError as error:  # it was there a moment ago
                member.info.problem("io", 1, 0, f"could not be opened again: {error.message}")
                member.batches = iter(())
                return
            reader.adopt(member.info)
            member.reader = reader
        self._open_now += 1
        member.batches = member.reader.batches()

    def _fill(self, index: int) -> bool:
        """See that the capture has a batch with rows left; False at its end."""
        member = self._members[index]
        if member.batch is not None and member.lo < len(member.batch):
            return True
        assert member.batches is not None
        batch = next(member.batches, None)
        if batch is None:
            member.batch = None
            self._done(member)
            return False
        times = _times(batch)
        if times[0] < member.latest:
            np.maximum(times, member.latest, out=times)
        member.batch, member.lo = batch, 0
        member.latest = int(times[-1])
        return True

    def _done(self, member: _Member) -> None:
        if member.reader is not None:
            self._open_now -= member.batches is not None
            member.reader.close()
            member.bytes_read = member.reader.bytes_read
            member.reader = None

    def close(self) -> None:
        """Close what is open; may be called twice."""
        for member in self._members:
            self._done(member)

    def __enter__(self) -> CaptureSet:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
