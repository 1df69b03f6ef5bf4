"""Arrays as plain Python objects, for interpreted kernels: a field of a numpy row costs five times a dictionary's.

In: the arguments of a kernel. Out: the same, with integer arrays as memory views and rows as dictionaries, which are
written back when the kernel is done. Next: the kernel (`jit`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PER_PACKET = frozenset({"decode_batch", "tally_batch", "follow_interleaved", "count_found"})
"""Kernels that look at the same rows again and again, and at no more of them than a batch has packets."""


class Rows(dict[int, dict[str, Any]]):
    """Rows of a structured array: dictionaries, made when first asked for."""

    def __init__(self, array: Array) -> None:
        super().__init__()
        dtype = array.dtype
        names = dtype.names or ()
        self._several = [name for name in names if dtype[name].shape]  # fields that are arrays
        self._names = [name for name in names if not dtype[name].shape]
        self._array = array
        self._numbers = array[self._names] if self._several else array
        self._before: dict[int, tuple[Any, ...]] = {}

    def __missing__(self, at: int) -> dict[str, Any]:
        if at < 0:
            raise IndexError(at)
        values = self._numbers[at].item()
        self._before[at] = values
        row = dict(zip(self._names, values, strict=True))
        for name in self._several:
            row[name] = memoryview(self._array[name][at])
        super().__setitem__(at, row)
        return row

    def __setitem__(self, at: int, row: dict[str, Any]) -> None:
        """The values of another row are copied, as an array would."""
        own = self[at]
        for name in self._names:
            own[name] = row[name]
        for name in self._several:
            own[name][:] = row[name]

    def __len__(self) -> int:
        return len(self._array)

    def write_back(self) -> None:
        """Put what was changed into the array."""
        count = len(self._names)
        for at, row in self.items():
            values = tuple(row.values())[:count]
            if values != self._before[at]:
                self._numbers[at] = values


def plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The kernel, called with plain objects in place of arrays."""

    def call(*arguments: Any) -> Any:
        made: list[Rows] = []
        try:
            return function(*(_plain(argument, made) for argument in arguments))
        finally:
            for rows in made:
                rows.write_back()

    return call


def _plain(value: Any, made: list[Rows]) -> Any:
    if isinstance(value, tuple):
        return tuple(_plain(each, made) for each in value)
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return value
    if value.dtype.names is None:
        return value.data
    rows = Rows(value)
    made.append(rows)
    return rows
