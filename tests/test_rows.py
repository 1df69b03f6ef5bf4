"""Rows that grow, with and without address space set aside, and their columns."""

import resource
import subprocess
import sys

import numpy as np
import pytest

from classifier.columns import FLOW
from classifier.flows.rows import BLOCK, columns, extended, grown, zeros

ROW = np.dtype([("number", "i8"), ("side", "u2"), ("spare", "u1", (54,))], align=True)


def filled(most: int) -> np.ndarray:
    rows = zeros(10, ROW, most)
    rows["number"] = np.arange(10)
    return rows


@pytest.mark.parametrize("most", [0, 15, 40, 1 << 24], ids=["none", "too_few", "enough", "a_gigabyte"])
def test_rows_that_grow_keep_what_they_hold_and_are_zero_beyond(most: int) -> None:
    rows = filled(most)
    for size in (20, 33):
        rows = grown(rows, size)
        assert len(rows) == size
        assert rows["number"].tolist() == [*range(10), *[0] * (size - 10)]
        assert not rows.view("u1").reshape(size, -1)[10:].any()
        assert rows.ctypes.data % 64 == 0


@pytest.mark.skipif(sys.platform != "linux", reason="address space is set aside on Linux")
def test_growing_into_what_was_set_aside_moves_nothing() -> None:
    rows = filled(1 << 20)
    assert grown(rows, 1 << 20).ctypes.data == rows.ctypes.data


def test_extended_rows_keep_what_they_hold() -> None:
    assert extended(filled(0), 25)["number"][:10].tolist() == list(range(10))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space are Linux's")
def test_under_a_limit_of_address_space_nothing_is_set_aside() -> None:
    program = (
        "from classifier.flows.rows import grown, zeros\n"
        "from classifier.columns import FLOW\n"
        "rows = zeros(10, FLOW, 1 << 24)\n"
        "assert type(rows.base) is not memoryview\n"
        "print(len(grown(rows, 1000)))\n"
    )
    limit = 2 << 30

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=limited)
    assert done.stdout == "1000\n", done.stderr


@pytest.mark.parametrize("count", [0, 1, BLOCK, 3 * BLOCK + 5])
def test_columns_of_chosen_rows_are_what_indexing_gives(count: int) -> None:
    random = np.random.default_rng(count)
    rows = zeros(5000, FLOW)
    rows.view("u1")[:] = random.integers(0, 256, rows.nbytes)
    which = random.integers(0, len(rows), count)
    found = columns(rows, which, ("a0", "proto", "last_ns", "vlan"))
    for name, column in found.items():
        assert column.dtype == rows.dtype[name]
        assert (column == rows[name][which]).all()
