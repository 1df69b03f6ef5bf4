"""Rows that grow, with and without address space set aside, and their columns."""

import subprocess
import sys

import numpy as np
import pytest

from classifier.columns import BATCH, FLOW, PACKET
from classifier.flows import rows as rows_module
from classifier.flows.rows import BLOCK, columns, grown, zeros
from classifier.flows.tally import Tally

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


def test_rows_that_need_not_be_cleared_keep_what_they_hold() -> None:
    assert grown(filled(0), 25, cleared=False)["number"][:10].tolist() == list(range(10))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
@pytest.mark.parametrize("limit", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_under_a_limit_of_memory_nothing_is_set_aside(limit: str) -> None:
    program = (
        "import resource\n"
        "from classifier.flows.rows import grown, zeros\n"
        "from classifier.columns import FLOW\n"
        f"resource.setrlimit(resource.{limit}, (4 << 30, 4 << 30))\n"
        "rows = zeros(10, FLOW, 1 << 22)\n"  # a gigabyte: there would be room
        "print(type(rows.base).__name__, len(grown(rows, 1000)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "ndarray 1000\n", done.stderr


@pytest.mark.skipif(not rows_module._free_of_charge(), reason="memory is limited here")
def test_a_table_that_reaches_its_cap_never_moves() -> None:
    tally = Tally(compiled=True, max_flows=5000, max_bins=20_000, room=BATCH)
    flows, bins = tally.flows.ctypes.data, tally.bins.ctypes.data
    packets = np.zeros(BATCH, PACKET)
    packets["proto"], packets["version"], packets["vlan"], packets["wire"] = 17, 4, -1, 60
    for batch in range(5):
        packets["src3"] = np.arange(BATCH) + batch * BATCH + 1  # all zeros is the row that flows beyond the cap share
        packets["ts_ns"] = (np.arange(BATCH) + batch * BATCH) * 10**9
        tally.update(packets, BATCH)
    rows, found = tally.finish()
    assert len(rows) == 5001
    assert rows["a_packets"].sum() == found["packets"].sum() == 5 * BATCH
    assert (tally.flows.ctypes.data, tally.bins.ctypes.data) == (flows, bins)


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
