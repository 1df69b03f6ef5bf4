"""How kernels are compiled."""

from __future__ import annotations

import numba

from classifier import compiling
from classifier.flows.stream_table import StreamTable


def test_kernels_do_not_count_references_to_arrays() -> None:
    """Atomic counters, one per array and call, took most of a pass. `close_streams` passes arrays to other kernels."""
    types = (numba.typeof(StreamTable().media),)
    for switch, counted in (({}, True), ({"_nrt": compiling.INNER["_nrt"]}, False)):
        options = {"nogil": True, "error_model": "numpy", **switch}
        kernel = numba.njit(**options)(compiling.Twins(options).bound("close_streams"))
        kernel.compile(types)
        (code,) = kernel.inspect_llvm().values()
        assert ("call void @NRT_incref" in code) is counted
