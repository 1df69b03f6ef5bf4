"""How kernels are compiled."""

from __future__ import annotations

import numba

from classifier import jit, kernels
from classifier.flows.stream_table import StreamTable


def test_kernels_do_not_count_references_to_arrays() -> None:
    """Atomic counters, one per array and call, took most of a pass. `close_streams` passes arrays to other kernels."""
    assert kernels
    types = (numba.typeof(StreamTable().media),)
    options = jit._options()
    assert options.pop("_nrt") is False  # else this numba has no such option any more: measure, then decide
    for switch, counted in (({}, True), ({"_nrt": False}, False)):
        kernel = numba.njit(**options, **switch)(jit._twin("close_streams"))
        kernel.compile(types)
        (code,) = kernel.inspect_llvm().values()
        assert ("call void @NRT_incref" in code) is counted
