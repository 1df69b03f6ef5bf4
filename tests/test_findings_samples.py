"""The findings of the sample captures are the ones written down in `data/findings_of_samples.json`."""

from __future__ import annotations

from pathlib import Path

import goldens
import pytest


def test_every_sample_is_written_down() -> None:
    assert list(goldens.read()) == [path.name for path in goldens.SAMPLES]


@pytest.mark.parametrize("path", goldens.SAMPLES, ids=lambda path: path.name)
def test_the_findings_of_a_sample_are_the_written_ones(path: Path) -> None:
    """A wanted change is written with `python tests/goldens.py --write`."""
    expected, found = goldens.read()[path.name], goldens.golden_of(path)
    assert [row["title"] for row in found["fired"]] == [row["title"] for row in expected["fired"]]
    assert found == expected
