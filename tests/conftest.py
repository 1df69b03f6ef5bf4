"""What all tests share: markers by module, hypothesis settings, places of captures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

settings.register_profile(
    "default", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], max_examples=60
)
settings.load_profile("default")

# Modules whose tests run once more interpreted (NUMBA_DISABLE_JIT=1, `-m kernels`) in .ci/run.
KERNEL_MODULES = (
    "test_capture", "test_copies", "test_decode", "test_flows", "test_interleaved", "test_kernels", "test_reference",
    "test_sniff", "test_streams", "test_tcp",
)  # fmt: skip
# Hostile and damaged input: runs once more with bounds checks compiled in (NUMBA_BOUNDSCHECK=1, `-m damaged`).
DAMAGED_MODULES = ("test_capture_damage", "test_decode_damage")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    from oracles import HAVE_TSHARK

    for item in items:
        if item.path.stem.startswith(KERNEL_MODULES):
            item.add_marker("kernels")
        if item.path.stem.startswith(DAMAGED_MODULES):
            item.add_marker("damaged")
        if "tshark" in item.keywords and not HAVE_TSHARK:
            item.add_marker(pytest.mark.skip(reason="tshark is not installed"))


@pytest.fixture(scope="session")
def captures() -> Path:
    """The folder of sample captures."""
    return ROOT / "captures"


def corpus_files() -> list[Path]:
    """Every file below CLASSIFIER_CORPUS, in a fixed order; empty when it is not set."""
    place = os.environ.get("CLASSIFIER_CORPUS")
    if not place:
        return []
    beside = {"README.md", "MANIFEST.tsv", "LICENSE"}
    return sorted(path for path in Path(place).rglob("*") if path.is_file() and path.name not in beside)
