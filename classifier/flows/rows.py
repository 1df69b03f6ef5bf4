"""Arrays of rows that begin on a cache line, larger ones with the same rows, and their columns.

In: sizes and row types. Out: arrays. Next: `flows.tally`, `flows.stream_table`, which make room with them, and
`flows.finish`, `flows.tcp_table`, which turn rows into columns.
"""

from __future__ import annotations

import functools
import mmap
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

BLOCK = 2048
"""Rows turned into columns at a time: they stay in the processor's cache, whatever order they are taken in."""


_MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)
"""Of Linux's mman.h; Python's mmap has no name for it before 3.13."""


def zeros(size: int, dtype: np.dtype[Any], most: int = 0) -> Array:
    """Zeroed rows that begin on a cache line. `most`: how many `grown` will ask for, if that is known.

    With `most`, address space for all of them is set aside where the system can, and memory is taken as rows are
    touched: growing copies nothing and clears nothing.
    """
    if most > size and (room := _reserved(most * dtype.itemsize)) is not None:
        return np.frombuffer(room, dtype, size)
    rows = _rows(size, dtype)
    rows.view("u1").fill(0)
    return rows


def _reserved(size: int) -> mmap.mmap | None:
    """Address space without memory; None where it counts as used, or is limited."""
    if sys.platform != "linux" or not _free_of_charge():
        return None
    try:
        room = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE)
        room.madvise(mmap.MADV_HUGEPAGE)  # a table that is looked up at random needs few of those
    except (OSError, OverflowError):  # no room, or more than 32 bits address
        return None
    return room


@functools.cache
def _free_of_charge() -> bool:
    """Whether Linux counts memory when it is touched: no limit of a process's space, and no strict accounting."""
    import resource

    limits = (resource.getrlimit(which)[0] for which in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    if any(limit != resource.RLIM_INFINITY for limit in limits):
        return False
    try:
        return Path("/proc/sys/vm/overcommit_memory").read_text().strip() != "2"
    except OSError:
        return False


def grown(array: Array, size: int, *, cleared: bool = True) -> Array:
    """A larger array with the same rows, zeroed beyond them unless they need not be `cleared`."""
    base: Any = array.base
    if isinstance(base, memoryview) and base.nbytes >= size * array.itemsize:  # set aside by `zeros`
        return np.frombuffer(base, array.dtype, size)
    bigger = _rows(size, array.dtype)
    bigger[: len(array)].view("u1")[:] = array.view("u1")  # as rows they are copied field by field
    if cleared:
        bigger[len(array) :].view("u1").fill(0)
    return bigger


def _rows(size: int, dtype: np.dtype[Any]) -> Array:
    """Rows that begin on a cache line, of whatever value.

    `np.empty`, not `np.zeros`: what it takes from the system comes in huge pages (where Linux offers them).
    """
    raw = np.empty(size * dtype.itemsize + 64, "u1")
    start = -raw.ctypes.data % 64
    return raw[start : start + size * dtype.itemsize].view(dtype)


def blocks(rows: Array, which: Array) -> Iterator[tuple[slice, Array]]:
    """Copies of the chosen rows, some at a time, and where they belong in an array as long as `which`."""
    for start in range(0, len(which), BLOCK):
        part = slice(start, min(start + BLOCK, len(which)))
        yield part, np.take(rows, which[part])  # thirty times as fast as rows[which[part]]


def columns(rows: Array, which: Array, names: Iterable[str]) -> dict[str, Array]:
    """Some fields of the chosen rows, each as an array."""
    out = {name: np.empty(len(which), rows.dtype[name]) for name in names}
    for part, block in blocks(rows, which):
        for name, column in out.items():
            column[part] = block[name]
    return out
