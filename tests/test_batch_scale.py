"""The calculation in benchmarks/scale.py, with figures that can be checked by hand."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("pyarrow")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def scale() -> ModuleType:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import scale as module

    return module


@pytest.fixture
def costs(scale: ModuleType) -> Any:
    """A capture of 2 GB is 3 s of processor time; what cannot be shared out takes 10 ms."""
    return scale.Costs(
        start_wall=0.5, first=1.5, capture=1.0, gb=1.0, gb_sha=0.5, gb_wall=1.0, put_wall=0.004, scheduled=0.006,
        known_wall=0.001, small_packets=500, small_flows=50, bytes_capture=50_000, bytes_flow=100,
        held=(8, 2, 0.5, 9.0, 15.0),
    )  # fmt: skip


def test_the_longest_of_three_times_counts(scale: ModuleType, costs: Any) -> None:
    assert scale.needed(costs, 1, 20.0) == (10_000 * 3 + 2, "processors")
    assert scale.needed(costs, 10, 20.0) == (1_000 * 3 + 2, "processors")
    assert scale.needed(costs, 3, 20.0) == (3_334 * 3 + 2, "processors"), "the last captures are one round more"
    assert scale.needed(costs, 10, 0.2) == (100_000, "storage")
    seconds, limit = scale.needed(costs, 10_000, 10_000.0)
    assert (round(seconds, 6), limit) == (100, "scheduler")


def test_the_page_says_where_the_limit_lies(scale: ModuleType, costs: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--rounds", "1"], lambda rounds: costs) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert "| one hard disk, 0.2 GB/s | 27.8 h (storage) | 27.8 h (storage) | 27.8 h (storage) | 1 worker |" in page
    assert "| a parallel file system, 20 GB/s | 8.3 h (processors) | 50 min (processors) | 17 min (storage) | 30 workers |" in page  # fmt: skip  # noqa: E501
    assert "a worker takes 0.67 GB/s" in page
    assert "the limit from 300 workers on, with small ones (1000 ms) from 100 on" in page
    assert "1.5 GB for all captures with 1,000 flows each, 0.01 % of what is read" in page
    assert "the calculation says 15.0 s" in page


def test_seconds_for_people(scale: ModuleType) -> None:
    said = [scale.span(seconds) for seconds in (3, 119, 600, 36_000, 1_000_000)]
    assert said == ["3 s", "119 s", "10 min", "10.0 h", "11.6 days"]
