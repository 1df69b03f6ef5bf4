"""CaptureReader: the records of one capture, batch by batch, whatever its format and its damage.

In: a path, `-` or a binary stream. Out: `open_capture` gives a CaptureReader, whose `batches()` yields RecordBatch.
Next: the engine, or `merge.py` where several captures are read as one.

Reading never raises for what is in a capture: a cut file gives its whole records and a problem, after damage the next
plausible record is looked for, and both are noted in `info.problems`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import fields
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np

from classifier.capture import model
from classifier.capture.compression import DecompressionError
from classifier.capture.detect import refuse
from classifier.capture.model import CaptureInfo, RecordBatch, Rows
from classifier.capture.pcap import PcapWalker, parse_header
from classifier.capture.pcapng import PcapngWalker, is_section
from classifier.capture.source import CHUNK, Source
from classifier.capture.walker import (
    BELIEVED,
    CAPTURED,
    CLAMPED,
    DAMAGED,
    DOUBTFUL,
    DOUBTS,
    ENDED,
    FIRST_NS,
    FULL,
    LAST_NS,
    MORE,
    STATUS,
    WIRE,
    Walker,
)
from classifier.columns import BATCH, RECORD
from classifier.jit import FEW_RECORDS, few_records

HEAD = 64
"""Bytes by which the format is told."""
ZEROS = 12
"""Zero bytes in a row where a record should begin that are called zeros: the least that one of either format takes."""


class CaptureReader:
    """One open capture. `info` grows while `batches()` is read; both end together.

    `small`: all of it is in memory and has few records, so that the kernels should run interpreted.
    """

    def __init__(self, source: Source, *, compiled: bool | None = None, batch: int = BATCH) -> None:
        """Tells the format. Raises NotACaptureError (the source is left open)."""
        self._source = source
        self._batch = max(batch, 1)
        self._records: Rows = np.zeros(self._batch, RECORD)
        self._held = 0  # rows filled before the first batch was asked for
        self._begun = False
        self._first = 1
        self.info = CaptureInfo(source.path, compression=source.compression, size=source.size)
        self._walker = self._walker_for(bool(compiled))
        self.small = False
        self._peek(compiled)

    def _walker_for(self, compiled: bool) -> Walker:
        source = self._source
        while source.prompt and source.end - source.start < HEAD and source.more():
            pass
        head = source.buffer[source.start : source.end][:HEAD].tobytes()
        if is_section(head):
            return PcapngWalker(self.info, source, compiled)
        header = parse_header(head)
        if header is None:
            raise refuse(source.path, head, source)
        return PcapWalker(self.info, source, header, compiled)

    def _peek(self, compiled: bool | None) -> None:
        """Whether this is a small capture; its first rows are kept for the first batch."""
        if not self._source.whole:
            self._walker.compiled = compiled is not False
            return
        few = few_records() if compiled is None else FEW_RECORDS
        limit = min(self._batch, few + 1)
        self._walker.compiled = bool(compiled)
        self._held = self._walker.walk(self._records, limit)
        status = int(self._walker.state[STATUS])
        self.small = self._held <= few and status != FULL
        self._walker.compiled = not self.small if compiled is None else compiled

    @property
    def held(self) -> int:
        """Records that were looked at before the first batch was asked for: all of them, in a small capture."""
        return self._held

    @property
    def compiled(self) -> bool:
        """Whether the kernels of this reader run compiled."""
        return self._walker.compiled

    def use(self, compiled: bool) -> None:
        """Choose the speed of the kernels, before the batches are read."""
        self._walker.compiled = compiled

    def adopt(self, info: CaptureInfo) -> None:
        """Keep the facts in `info`, which is overwritten, before the batches are read."""
        for name in (each.name for each in fields(CaptureInfo)):
            setattr(info, name, getattr(self.info, name))
        self.info = self._walker.info = info

    @property
    def live(self) -> bool:
        """Whether reading may wait for somebody to write: a pipe or a stream, no file."""
        return not self._source.prompt

    @property
    def waiting(self) -> bool:
        """Whether the next batch waits for bytes that are not there yet."""
        return self._source.waiting

    @property
    def bytes_read(self) -> int:
        """Bytes of the file read so far, out of `size` (compressed bytes, if it is compressed)."""
        return self._source.bytes_read

    @property
    def size(self) -> int | None:
        """Bytes of the file, None for pipes and streams."""
        return self._source.size

    @property
    def first_ns(self) -> int | None:
        """Time of the first record, without waiting for more input than is there; None if that holds no record."""
        if not self._begun and not self._held:
            self._held = self._walker.walk(self._records, self._batch)
        return int(self._records[0]["ts_ns"]) if self._held else None

    def batches(self) -> Iterator[RecordBatch]:
        """The records, in file order, in batches of at most `batch` of them; to be read once.

        A live input gives its records as they come. Ends at the end of the input or where nothing more can be read.
        """
        if self._begun:
            raise RuntimeError("the batches of a capture are read once")
        self._begun = True
        try:
            yield from self._read()
            self._conclude()
        finally:  # also when the reading is interrupted
            self._walker.finish()

    def _read(self) -> Iterator[RecordBatch]:
        walker, source = self._walker, self._source
        count = self._held
        while True:
            walker.records_before = 0
            if count == 0:
                count = walker.walk(self._records, self._batch)
                walker.state[BELIEVED] = -1
            status = int(walker.state[STATUS])
            if count:
                batch = RecordBatch(source.buffer[: source.end], self._records[:count], self._first, source.offset)
                self._account(count)
                yield batch
                count = 0
                if status == FULL:
                    continue
            if status == DAMAGED:
                if not self._skip_damage():
                    break
            elif status == DOUBTFUL:
                self._judge()
            elif status == MORE and not source.more():
                if not walker.state[ENDED]:
                    walker.state[ENDED] = 1  # what waited for a look at its successor need not any longer
                elif not self._ended_inside():
                    break

    def _account(self, count: int) -> None:
        info, state = self.info, self._walker.state
        self._first += count
        self._walker.records_before = 0
        info.packets += count
        info.wire_bytes = int(state[WIRE])
        info.captured_bytes = int(state[CAPTURED])
        timed = state[FIRST_NS] <= state[LAST_NS]
        info.first_ns = int(state[FIRST_NS]) if timed else 0
        info.last_ns = int(state[LAST_NS]) if timed else 0

    def _skip_damage(self) -> bool:
        """Go on at the next plausible record; False when there is none."""
        walker, source = self._walker, self._source
        begin = source.offset + source.start
        what = walker.damage()
        began = zeros = not source.buffer[source.start : source.start + ZEROS].any()
        walker.anchor()
        source.start += 1
        ended = found = False
        while not found:
            at = source.start
            found = walker.resync(ended)
            if ended and not found:
                source.start = source.end
            zeros = zeros and not source.buffer[at : source.start].any()
            if ended:
                break
            ended = not found and not source.more()
        if zeros:  # what a machine or a disk leaves that stopped while capturing
            what = "zeros instead of records" if found else "nothing but zeros up to the end"
        elif not found:
            what = f"{'zeros instead of a record' if began else what}, and no record was found after it"
        self._skipped(begin, what)
        return found

    def _skipped(self, begin: int, what: str) -> None:
        skipped = self._source.offset + self._source.start - begin
        self._walker.problem(
            model.DAMAGED, begin, f"{what}: {model.counted(skipped, 'byte')} from byte {begin} on were skipped"
        )

    def _judge(self) -> None:
        """A record has an odd length and what follows it is no record: which of the two is damaged?

        If records are found inside it, its length is a lie and they count; else it is believed and counts itself.
        """
        walker, source = self._walker, self._source
        begin = source.offset + source.start
        limit, what = source.offset + walker.following(), walker.damage()
        walker.anchor()
        search, ended = begin + 1, False
        while True:
            source.start = search - source.offset
            found = walker.resync(ended, limit - source.offset)
            search = source.offset + source.start
            if found:
                self._skipped(begin, what)
                return
            source.start = begin - source.offset
            if ended or search >= limit:
                walker.state[BELIEVED] = source.start
                walker.state[DOUBTS] -= 1
                return
            ended = not source.more()

    def _ended_inside(self) -> bool:
        """At the end of the input: name what is only partly there. True if records were found inside that."""
        walker, source = self._walker, self._source
        start, left = source.start, source.end - source.start
        if not left:
            return False
        place = source.offset + start
        if walker.suspect():
            what = walker.damage()
            walker.anchor()
            source.start += 1
            if walker.resync(True):
                self._skipped(place, what)
                return True
            source.start = start
        walker.problem(
            model.CUT,
            place,
            f"the file ends inside a {walker.describe()}: the last {model.counted(left, 'byte')} were left out",
        )
        source.start = source.end
        return False

    def _conclude(self) -> None:
        source, walker = self._source, self._walker
        end = source.offset + source.end
        error = source.error
        if isinstance(error, DecompressionError):
            walker.problem(model.COMPRESSION, end, f"{error}; what comes before was read")
        elif error is not None:
            walker.problem(model.IO, end, f"reading stopped: {getattr(error, 'strerror', None) or error}")
        elif source.size is not None and source.bytes_read < source.size and not source.notes:
            walker.problem(
                model.SHRUNK,
                end,
                f"the file had {source.size} bytes when it was opened and ended after {source.bytes_read}",
            )
        for code, message in source.notes:
            walker.problem(code, end, message)
        clamped = int(walker.state[CLAMPED])
        if clamped:
            walker.problem(
                model.TIMESTAMP,
                0,
                f"{model.counted(clamped, 'record')} with a time past 64-bit nanoseconds; set to the latest that fits",
                complete=True,
            )

    def close(self) -> None:
        """Release the file; may be called twice."""
        self._source.close()

    def __enter__(self) -> CaptureReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_capture(
    source: str | os.PathLike[str] | BinaryIO | Any,
    *,
    compiled: bool | None = None,
    chunk: int = CHUNK,
    batch: int = BATCH,
) -> CaptureReader:
    """Open a capture file, `-` (standard input) or a binary stream; the format is told by content, never by name.

    `compiled`: speed of the kernels, None = interpreted for small captures. `chunk`: bytes read at a time.
    Raises CaptureError (missing, no permission, a folder) or NotACaptureError (says what it is instead).
    """
    opened = Source(source, chunk=chunk)
    try:
        return CaptureReader(opened, compiled=compiled, batch=batch)
    except BaseException:
        opened.close()
        raise
