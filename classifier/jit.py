"""One source, two speeds: kernels run interpreted or compiled by numba.

A *kernel* is a plain function over integers, byte buffers and structured numpy arrays, marked with
`@kernel`. Called by its own name it runs interpreted. `speed(compiled=True)` gives the same kernels
compiled (`compiling`); no second copy of the source exists.

Rules that keep both speeds equal (tests run every kernel both ways):

* integers read from an array field go through `i64(...)` before arithmetic: a narrow numpy scalar
  would wrap when interpreted, an unsigned one would turn into a float when compiled;
* hashes are kept under 32 bits (`& MASK32`) and multipliers under 31, so no product leaves int64;
* buffers are indexed byte by byte, never sliced; what is read is checked against `end` first.

The kernels that Python calls are compiled all at once and kept as machine code (`machine`), so that later runs need
no compiler. `NUMBA_DISABLE_JIT=1` makes both speeds interpreted.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from classifier.plain import PER_PACKET, plain

F = TypeVar("F", bound=Callable[..., Any])

MASK32 = 0xFFFFFFFF

FEW_RECORDS = 600
"""Up to so many records, interpreting kernels takes less time (0.05 ms a record) than loading compiled ones (35 ms)."""
FEW_UNCOMPILED = 4000
"""The same as long as none are compiled: that takes ten seconds."""

_registry: dict[str, Callable[..., Any]] = {}
_inlined: set[str] = set()


def registered() -> tuple[dict[str, Callable[..., Any]], set[str]]:
    """Every kernel by name, and the names of those that are compiled into their callers."""
    return _registry, _inlined


i64: Callable[[Any], int] = int
"""`i64(value)`: a signed 64-bit integer when compiled, a Python int when interpreted."""


def kernel(function: F) -> F:
    """Mark `function` as a kernel: interpreted under its own name, compiled through `speed`."""
    key = function.__name__
    known = _registry.get(key)
    if known is not None and known.__module__ != function.__module__:
        raise RuntimeError(f"two kernels are named {key}: {known.__module__}, {function.__module__}")
    _registry[key] = function
    return function


def inlined(function: F) -> F:
    """Mark a kernel that is called once per packet: compiled into its callers.

    A call passes seven words for each array, and the compiler alone does not inline what is long.
    """
    _inlined.add(function.__name__)
    return kernel(function)


def view(buffer: Any, compiled: bool) -> Any:
    """`buffer` in the form that kernels of this speed index fastest."""
    if compiled:
        return buffer if isinstance(buffer, np.ndarray) else np.frombuffer(buffer, np.uint8)
    return memoryview(buffer)


class Kernels:
    """All kernels at one speed, as attributes: `Kernels(compiled).decode_batch(...)`."""

    def __init__(self, compiled: bool) -> None:
        self.compiled = compiled
        self._twins: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        function = _compiled(name) if self.compiled and not interpreted_only() else interpreted(name)
        setattr(self, name, function)
        return function


_announce: Callable[[str], None] | None = None


def on_compile(callback: Callable[[str], None] | None) -> None:
    """Have `callback(message)` told when kernels are about to be compiled, and when they cannot be."""
    global _announce
    _announce = callback


def announce(message: str) -> None:
    """Tell it to whoever wants to know (`on_compile`)."""
    if _announce is not None:
        _announce(message)


def interpreted_only() -> bool:
    """Whether `NUMBA_DISABLE_JIT` is set."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")


def ready() -> bool:
    """Whether compiled kernels are kept from an earlier run, so that they are loaded at once."""
    from classifier import machine

    return machine.ready()


def few_records() -> int:
    """Up to how many records interpreted kernels are the quicker way."""
    return FEW_RECORDS if not interpreted_only() and ready() else FEW_UNCOMPILED


def interpreted(name: str) -> Any:
    """The kernel as it is."""
    return plain(_registry[name]) if name in PER_PACKET else _registry[name]


def _compiled(name: str) -> Any:
    """The kernel as machine code; interpreted where this machine cannot compile it."""
    from classifier import machine

    entries = machine.entries()
    if entries is None:
        return interpreted(name)
    if name in entries:
        return entries[name]
    from classifier.compiling import for_python  # one that the program itself calls from other kernels only

    return for_python(name)


INTERPRETED = Kernels(False)
COMPILED = Kernels(True)


def speed(compiled: bool) -> Kernels:
    """The kernels at the asked speed."""
    return COMPILED if compiled else INTERPRETED


__all__ = [
    "MASK32",
    "Kernels",
    "announce",
    "few_records",
    "i64",
    "inlined",
    "kernel",
    "on_compile",
    "ready",
    "registered",
    "speed",
    "view",
]
