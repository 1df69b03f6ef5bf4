"""However a generated site is read, the labels are the same: batch size, files, their order, compiled or not."""

from __future__ import annotations

import random
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captures.makers.varied import Made, Options, make_site
from classifier import classify

KINDS = (
    Options(packets=800),
    Options(packets=800, ports="moved"),
    Options(packets=800, start="midstream", addresses="nat"),
    Options(packets=800, directions="out_of"),
    Options(packets=800, decoys="speaking"),
)
PLACES = {"capture", "first_record"}  # of a flow: they say in which file it began
SECTIONS = ("flows", "hosts", "components", "multicast", "candidates", "learned")


@lru_cache
def site(seed: int, kind: int) -> Made:
    return make_site(seed, KINDS[kind])


def labels(source: Any, **how: Any) -> dict[str, Any]:
    """What a report says of labels."""
    document = classify(source, **how).to_dict(sections=("flows",))
    said = {name: document[name] for name in SECTIONS}
    said["flows"] = [{key: value for key, value in flow.items() if key not in PLACES} for flow in said["flows"]]
    return said


@lru_cache
def expected(seed: int, kind: int) -> dict[str, Any]:
    """One file, compiled, in batches of the usual size."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.pcap"
        path.write_bytes(site(seed, kind).capture)
        return labels(path, compiled=True)


kinds = st.tuples(st.integers(1, 3), st.integers(0, len(KINDS) - 1))


@settings(max_examples=25)
@given(which=kinds, batch=st.sampled_from([1, 2, 7, 61, 500, 4096]), compiled=st.booleans())
def test_batch_size_and_speed_change_no_label(which: tuple[int, int], batch: int, compiled: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.pcap"
        path.write_bytes(site(*which).capture)
        assert labels(path, batch=batch, compiled=compiled) == expected(*which)


@settings(max_examples=25)
@given(which=kinds, files=st.integers(2, 9), order=st.integers(0, 1000), batch=st.sampled_from([3, 100, 4096]))
def test_splitting_into_files_and_their_order_change_no_label(
    which: tuple[int, int], files: int, order: int, batch: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, part in enumerate(site(*which).parts(files)):
            paths.append(Path(folder) / f"part{number}.pcap")
            paths[-1].write_bytes(part)
        random.Random(order).shuffle(paths)
        assert labels(paths, batch=batch, compiled=True) == expected(*which)


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_standard_input_gives_the_same_labels(kind: int, tmp_path: Path) -> None:
    path = tmp_path / "site.pcap"
    path.write_bytes(site(1, kind).capture)
    with path.open("rb") as stream:
        assert labels(stream, compiled=False) == expected(1, kind)
