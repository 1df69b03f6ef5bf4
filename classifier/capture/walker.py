"""What the walkers of the file formats share: their state, the byte readers of the kernels, the interface.

In: a Source. Out: `Walker`, implemented by `pcap.PcapWalker` and `pcapng.PcapngWalker`. Next: `reader.py`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.capture.model import CaptureInfo, Rows
from classifier.capture.source import Source, Window
from classifier.jit import Kernels, i64, kernel, ready, speed, view

INT64_MAX = 2**63 - 1

# indexes of a walker's state (i8)
POSITION = 0  # where the kernel stopped, index into the buffer
STATUS = 1
NEED = 2  # bytes from POSITION on that the next record takes, as far as known
BIG = 3  # 1: big-endian
MAXIMUM = 4  # most captured bytes that are believed
LINK = 5
WIRE = 6  # sums over all records
CAPTURED = 7
FIRST_NS = 8
LAST_NS = 9
CLAMPED = 10  # records whose time did not fit
ANCHOR = 11  # seconds: a time known to be near, for the search after damage; -1 = none
BELIEVED = 12  # position of a record that is taken although it looks odd; -1 = none
PSEUDO = 13  # bytes at the front of a frame that were never on the wire
ENDED = 14  # 1: nothing comes after the window
DOUBTS = 15  # how many more odd records are examined
STATE = 16  # number of them

# STATUS
MORE = 0  # the window ends inside a record, or with one
FULL = 1  # as many rows as asked for; search: found
DAMAGED = 2  # what stands at POSITION is no record
BLOCK = 3  # pcapng: a block that Python reads
DOUBTFUL = 4  # the record at POSITION has an odd length, and what follows it is no record

MAX_WIRE = 0x7FFFFFFF
"""Frame lengths are signed 32-bit numbers to Wireshark; what is above is counted as this."""

INTERPRETED_SEARCH = 65_536
"""Bytes up to which a search after damage runs interpreted with a small capture."""

MAX_DOUBTS = 1000
"""Odd records that turned out to be whole, before odd ones are believed without a look."""

CHAIN = 3
"""Records in a row that must look right before the search after damage believes them."""


@kernel
def capture_u32(buffer: Any, at: int, big: int) -> int:
    """The unsigned 32-bit number at `at`, big-endian if `big`."""
    a = i64(buffer[at])
    b = i64(buffer[at + 1])
    c = i64(buffer[at + 2])
    d = i64(buffer[at + 3])
    if big:
        return a << 24 | b << 16 | c << 8 | d
    return d << 24 | c << 16 | b << 8 | a


@kernel
def capture_u16(buffer: Any, at: int, big: int) -> int:
    """The unsigned 16-bit number at `at`, big-endian if `big`."""
    a = i64(buffer[at])
    b = i64(buffer[at + 1])
    if big:
        return a << 8 | b
    return b << 8 | a


@kernel
def past_zeros(buffer: Any, at: int, end: int) -> int:
    """Index of the first byte of buffer[at:end] that is not 0, `end` when there is none."""
    while at < end and buffer[at] == 0:
        at += 1
    return at


class Walker:
    """Finds the records of one file format in the window of a Source."""

    def __init__(self, info: CaptureInfo, source: Source, compiled: bool, states: int) -> None:
        self.info = info
        self.source: Source | Window = source
        self.state: npt.NDArray[np.int64] = np.zeros(states, np.int64)
        self.state[FIRST_NS] = INT64_MAX
        self.state[LAST_NS] = -INT64_MAX - 1
        self.state[ANCHOR] = -1
        self.state[BELIEVED] = -1
        self.state[DOUBTS] = MAX_DOUBTS
        self.records_before = 0  # records of this batch that are not in info.packets yet
        self._memory: Any = None
        self._memory_of: Any = None
        self.compiled = compiled

    @property
    def compiled(self) -> bool:
        return self._compiled

    @compiled.setter
    def compiled(self, compiled: bool) -> None:
        self._compiled = compiled
        self.kernels: Kernels = speed(compiled)
        self._memory_of = None

    def memory(self) -> Any:
        """The source's buffer in the form that the kernels want."""
        buffer = self.source.buffer
        if self._memory_of is not buffer:
            self._memory = view(buffer, self._compiled)
            self._memory_of = buffer
        return self._memory

    def problem(self, code: str, offset: int, message: str, *, complete: bool = False) -> None:
        """Note a problem at the record that comes next."""
        self.info.problem(code, self.info.packets + self.records_before + 1, offset, message, complete=complete)

    def walk(self, records: Rows, limit: int) -> int:
        """Fill rows from the window, move `source.start`; the number filled. `state[STATUS]` says why it stopped."""
        raise NotImplementedError

    def finish(self) -> None:
        """Put what was summed up on the way into `info`; called once, at the end."""

    def resync(self, ended: bool, stop: int | None = None) -> bool:
        """Move `source.start` to the next plausible record; False when the window holds none (more may).

        The search goes from `source.start` up to index `stop`; `ended`: nothing comes after the window.
        """
        self.resync_kernel(ended, self.source.end if stop is None else stop)
        self.source.start = int(self.state[POSITION])
        return int(self.state[STATUS]) == FULL

    def resync_kernel(self, ended: bool, stop: int) -> None:
        """Run the search kernel of the format over the window."""
        raise NotImplementedError

    def fast(self) -> tuple[Kernels, Any]:
        """Kernels and memory for a search: compiled ones where much is to be searched, if they need only be loaded."""
        if self._compiled or self.source.end - self.source.start < INTERPRETED_SEARCH or not ready():
            return self.kernels, self.memory()
        return speed(True), view(self.source.buffer, True)

    def suspect(self) -> bool:
        """Whether the unfinished thing at `source.start` may claim a length that it does not have."""
        raise NotImplementedError

    def following(self) -> int:
        """Index after the (doubtful) record at `source.start`."""
        raise NotImplementedError

    def anchor(self) -> None:
        """Remember what the search after damage compares with."""
        raise NotImplementedError

    def describe(self) -> str:
        """What the unfinished thing at `source.start` is, for a message."""
        raise NotImplementedError

    def damage(self) -> str:
        """What is wrong with the thing at `source.start`, for a message."""
        raise NotImplementedError
