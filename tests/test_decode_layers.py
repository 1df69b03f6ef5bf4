"""Every layer and tunnel by a frame of its own, at both speeds."""

from __future__ import annotations

import pytest
from decode_frames import VECTORS, Vector, decode


@pytest.mark.parametrize("compiled", [False, True], ids=["interpreted", "compiled"])
@pytest.mark.parametrize("vector", VECTORS, ids=str)
def test_frame_is_decoded(vector: Vector, compiled: bool) -> None:
    row = decode(vector.link, vector.data, vector.wire, compiled)
    assert {key: row[key] for key in vector.expect} == vector.expect
