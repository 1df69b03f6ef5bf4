"""One source, two speeds: kernels run interpreted or compiled by numba.

A *kernel* is a plain function over integers, byte buffers and structured numpy arrays, marked with
`@kernel`. Called by its own name it runs interpreted. `speed(compiled=True)` gives the same kernels
compiled: each function's code is bound to a twin of its module's globals in which every kernel is
replaced by its compiled form, so no second copy of the source exists.

Rules that keep both speeds equal (tests run every kernel both ways):

* integers read from an array field go through `i64(...)` before arithmetic: a narrow numpy scalar
  would wrap when interpreted, an unsigned one would turn into a float when compiled;
* hashes are kept under 32 bits (`& MASK32`) and multipliers under 31, so no product leaves int64;
* buffers are indexed byte by byte, never sliced; what is read is checked against `end` first.

Compiled kernels are cached on disk in the user's cache directory, under a key made of the kernels'
own source, numba's version and Python's (numba itself does not notice a change in a called
function's file). `NUMBA_DISABLE_JIT=1` makes both speeds interpreted.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])

MASK32 = 0xFFFFFFFF
CACHE_NAME = "vms-classifier"
CACHE_AGE_S = 30 * 86_400

_registry: dict[str, Callable[..., Any]] = {}
_inlined: set[str] = set()


def i64(value: Any) -> int:
    """`value` as a signed 64-bit integer (a Python int when interpreted)."""
    return int(value)


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
        function = _registry[name]
        if self.compiled and os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0"):
            function = _compile(name)
        setattr(self, name, function)
        return function


_compiled: dict[str, Any] = {}
_globals: dict[str, dict[str, Any]] = {}
_announce: Callable[[str], None] | None = None


def on_compile(callback: Callable[[str], None] | None) -> None:
    """Have `callback(message)` told when kernels are about to be compiled for the first time."""
    global _announce
    _announce = callback


def _compile(name: str) -> Any:
    """The compiled form of a kernel that is called from Python."""
    twin = _compiled.get(name)
    if twin is not None:
        return twin
    fresh = _prepare_cache()
    numba = _numba()
    if fresh and _announce is not None:
        _announce("first run: compiling the kernels, once for this installation")
    dispatcher = numba.njit(cache=_cache_usable, **_options())(_twin(name))
    _compiled[name] = dispatcher
    return dispatcher


def _options() -> dict[str, Any]:
    """How every kernel is compiled.

    `_nrt`: references to arrays are not counted. The caller holds the arrays and no kernel allocates; with it each call
    adds to an atomic counter for every array that it passes, which took most of the time. It is not numba's public
    interface, so a numba without it is slower, not an error.
    """
    known = importlib.import_module("numba.core.options").DefaultOptions
    return {"nogil": True, "error_model": "numpy", **({"_nrt": False} if hasattr(known, "_nrt") else {})}


_inner: dict[str, Any] = {}


def _compile_inner(name: str) -> Any:
    """The compiled form of a kernel for other kernels: no way in from Python, no place in the cache of its own."""
    known = _inner.get(name)
    if known is None:
        numba = _numba()
        options = {**_options(), "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        if name in _inlined:
            options["forceinline"] = True
        known = _inner[name] = numba.njit(**options)(_twin(name))
    return known


def _twin(name: str) -> FunctionType:
    """The kernel's code over a twin of its module's globals, in which the kernels it calls are compiled."""
    function = _registry[name]
    module = function.__module__
    space = _globals.get(module)
    if space is None:
        space = _globals[module] = dict(vars(sys.modules[module]))
        space["i64"] = np.int64
    twin = FunctionType(function.__code__, space, name, function.__defaults__, function.__closure__)
    twin.__module__ = module
    twin.__qualname__ = name
    for callee in function.__code__.co_names:
        if callee in _registry and space.get(callee) is _registry[callee] and callee != name:
            space[callee] = _compile_inner(callee)
    return twin


_cache_ready: bool | None = None
_cache_usable = False


def source_key() -> str:
    """Hash of what the compiled kernels depend on: sources, numba's and Python's version."""
    checked = os.environ.get("NUMBA_BOUNDSCHECK", "")
    digest = hashlib.sha256(f"{sys.version}|{_numba_version()}|{checked}".encode())
    for path in sorted(_sources()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _sources() -> set[Path]:
    """What compiled kernels depend on: their own packages, with the constants they read, and the columns."""
    here = Path(__file__).parent
    folders = {Path(sys.modules[f.__module__].__file__ or "").parent for f in _registry.values()}
    return {here / "jit.py", here / "columns.py", *(path for folder in folders for path in folder.glob("*.py"))}


def cache_directory() -> Path:
    """Where compiled kernels are kept, before the key (`CLASSIFIER_CACHE_DIR` overrides)."""
    override = os.environ.get("CLASSIFIER_CACHE_DIR")
    if override:
        return Path(override)
    if os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / CACHE_NAME


def _numba() -> Any:
    return importlib.import_module("numba")  # late: it takes 0.15 s; untyped: its stubs know fewer options than it has


def _numba_version() -> str:
    from importlib.metadata import version

    return version("numba")


def _prepare_cache() -> bool:
    """Point numba at our cache directory; True when nothing is cached there yet."""
    global _cache_ready, _cache_usable
    if _cache_ready is not None:
        return _cache_ready
    import classifier.kernels  # noqa: F401  (every kernel module, so that the key covers them all)

    base = cache_directory()
    place = base / source_key()
    _cache_ready = not place.is_dir()
    try:
        place.mkdir(parents=True, exist_ok=True)
        os.utime(place)
        for other in base.iterdir():  # kernels of versions not used any more; two installations may take turns
            if other.is_dir() and len(other.name) == 16 and time.time() - other.stat().st_mtime > CACHE_AGE_S:
                shutil.rmtree(other, ignore_errors=True)
        _cache_usable = os.access(place, os.W_OK | os.X_OK)
    except OSError:
        _cache_usable = False  # a read-only home: compiled again by each process
    if _cache_usable:
        _numba().config.CACHE_DIR = str(place)
    return _cache_ready


INTERPRETED = Kernels(False)
COMPILED = Kernels(True)


def speed(compiled: bool) -> Kernels:
    """The kernels at the asked speed."""
    return COMPILED if compiled else INTERPRETED


__all__ = ["MASK32", "Kernels", "i64", "inlined", "kernel", "on_compile", "speed", "view"]
