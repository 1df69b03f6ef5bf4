"""Arrays of rows that begin on a cache line, and larger ones with the same rows.

In: sizes and row types. Out: arrays. Next: `flows.tally`, `flows.stream_table`, which make room with them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def _rows(size: int, dtype: np.dtype[Any]) -> Array:
    """Rows that begin on a cache line, of whatever value.

    `np.empty`, not `np.zeros`: what it takes from the system comes in huge pages (where Linux offers them), and a
    table that is looked up at random needs few of those.
    """
    raw = np.empty(size * dtype.itemsize + 64, "u1")
    start = -raw.ctypes.data % 64
    return raw[start : start + size * dtype.itemsize].view(dtype)


def zeros(size: int, dtype: np.dtype[Any]) -> Array:
    """The same, zeroed."""
    rows = _rows(size, dtype)
    rows.view("u1").fill(0)
    return rows


def grown(array: Array, size: int) -> Array:
    """A larger array with the same rows, zeroed beyond them."""
    bigger = _rows(size, array.dtype)
    bigger[: len(array)] = array
    bigger[len(array) :].view("u1").fill(0)
    return bigger


def extended(array: Array, size: int) -> Array:
    """A larger array with the same rows; what comes after them is written before it is read."""
    bigger = _rows(size, array.dtype)
    bigger[: len(array)] = array
    return bigger
