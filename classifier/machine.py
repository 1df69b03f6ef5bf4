"""Kernels as machine code: kept in the user's cache directory, loaded at start without the compiler.

In: `kernels.ENTRIES`. Out: `entries()`, a callable for each. Next: `jit.speed(compiled=True)`.

The first time, `compiling` runs in other processes, and what they give is kept in one file, named after all that it
depends on: sources, versions, processor. It is checked by its hash before it is loaded, so a damaged file means a new
one. Loading takes llvmlite's runtime linker only, a tenth of the time of numba and its cache.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.util
import os
import sys
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from classifier import jit
from classifier.kernels import COMMON, ENTRIES, PACKAGES, RARE, Entry, Rows

CACHE_NAME = "vms-classifier"
CACHE_AGE_S = 30 * 86_400
SUFFIX = ".kernels"
RARELY = "-rare"
"""Ends the name of the file of `kernels.RARE`."""
LOCK = "compiling.lock"
MOST_PROCESSES = 2
"""Compilers at a time: a third has nothing left to do while the two largest kernels are compiled."""

Objects = dict[str, tuple[str, bytes]]
"""By kernel: the name of its function, and the object file that holds it."""


class CannotCompile(Exception):
    """The kernels could not be compiled here; the message says why."""


def cache_directory() -> Path:
    """Where compiled kernels are kept (`CLASSIFIER_CACHE_DIR` overrides)."""
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


@functools.cache
def source_key() -> str:
    """Hash of what compiled kernels depend on, but for the processor: sources, versions, bounds checks."""
    checked = os.environ.get("NUMBA_BOUNDSCHECK", "")
    digest = hashlib.sha256(f"{sys.version}|{sys.platform}|{np.__version__}|{checked}".encode())
    here = Path(__file__).parent
    sources = [here / f"{name}.py" for name in ("columns", "compiling", "jit", "kernels", "machine")]
    sources += [path for package in PACKAGES for path in sorted((here / package).glob("*.py"))]
    for path in [*sources, *map(_version_file, ("numba", "llvmlite"))]:
        digest.update(path.read_bytes())
        digest.update(b"|")
    return digest.hexdigest()[:16]


def _version_file(package: str) -> Path:
    """The file that has a package's version in it; importing numba for that takes 0.15 s."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise CannotCompile(f"{package} is not installed")
    file = Path(spec.origin).with_name("_version.py")
    return file if file.is_file() else Path(spec.origin)


def ready() -> bool:
    """Whether all compiled kernels are kept already, so that using them costs little (a look into a folder).

    Without the rare ones a small capture that needs them would wait for the compiler.
    """
    try:
        names = [file.name for file in cache_directory().glob(f"{source_key()}-*{SUFFIX}")]
        rare = sum(name.endswith(f"{RARELY}{SUFFIX}") for name in names)
        return 0 < rare < len(names)
    except (OSError, CannotCompile):
        return False


@functools.cache
def entries() -> dict[str, Callable[..., Any]] | None:
    """Every kernel of `ENTRIES`, compiled; None, announced, where that cannot be."""
    try:
        common = _prepared(COMMON, "first run: compiling the kernels, once for this installation (takes some seconds)")
        return {name: common[name] if name in COMMON else _Later(name) for name in ENTRIES}
    except (CannotCompile, ImportError) as error:
        jit.announce(f"the kernels cannot be compiled, reading is slow: {error}")
        return None


@functools.cache
def _rare() -> dict[str, Callable[..., Any]]:
    """The kernels of `RARE`; interpreted ones, announced, where they cannot be compiled."""
    try:
        return _prepared(RARE, "compiling the kernels for media inside RTSP and for damage, once (some seconds)")
    except (CannotCompile, ImportError) as error:
        jit.announce(f"some kernels cannot be compiled, reading is slow: {error}")
        return {name: jit.interpreted(name) for name in RARE}


class _Later:
    """A kernel that is loaded, or compiled, when first called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, *values: Any) -> Any:
        return _rare()[self._name](*values)


def _prepared(names: frozenset[str], message: str) -> dict[str, Callable[..., Any]]:
    """These kernels, from the file that keeps them or, announced, from the compiler."""
    file = kept_in(names)
    objects = load(file, names)
    if objects is None:
        jit.announce(message)
        with _turn(file.parent):
            objects = load(file, names)  # another process may have been first: a batch starts several at once
            if objects is None:
                objects = compile_all(names)
                save(file, objects)
    return link(objects)


def kept_in(names: frozenset[str]) -> Path:
    """The file that keeps these kernels."""
    return cache_directory() / f"{source_key()}-{_processor()}{'' if names == COMMON else RARELY}{SUFFIX}"


def _processor() -> str:
    """Hash of the processor's name and features: code for one may not run on another."""
    import llvmlite.binding as llvm

    what = f"{llvm.get_process_triple()}|{llvm.get_host_cpu_name()}|{llvm.get_host_cpu_features().flatten()}"
    return hashlib.sha256(what.encode()).hexdigest()[:8]


def pack(objects: Objects) -> bytes:
    """Objects as one block of bytes, which begins with the hash of the rest."""
    head = " ".join(f"{name} {symbol} {len(data)}" for name, (symbol, data) in objects.items())
    body = b"".join([head.encode(), b"\n", *(data for _, data in objects.values())])
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(data: bytes) -> Objects | None:
    """The objects in what `pack` made; None if a single bit of it is different."""
    digest, _, body = data.partition(b"\n")
    if hashlib.sha256(body).hexdigest().encode() != digest:
        return None
    head, _, rest = body.partition(b"\n")
    words = head.decode().split()
    objects: Objects = {}
    at = 0
    for name, symbol, size in zip(words[::3], words[1::3], map(int, words[2::3]), strict=True):
        objects[name] = (symbol, rest[at : at + size])
        at += size
    return objects


def load(file: Path, names: frozenset[str] = COMMON) -> Objects | None:
    """What is kept in `file`, None when that is not these kernels."""
    try:
        objects = unpack(file.read_bytes())
    except OSError:
        return None
    return objects if objects is not None and objects.keys() == names else None


def save(file: Path, objects: Objects) -> None:
    """Keep the objects, if the place lets us: else they are compiled again by the next process."""
    import tempfile

    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, suffix=".part")
        temporary = Path(name)
        with os.fdopen(handle, "wb") as out:
            out.write(pack(objects))
        temporary.replace(file)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        return
    _forget_old(file.parent)


@contextlib.contextmanager
def _turn(base: Path) -> Iterator[None]:
    """Wait until no other process compiles for this place. The system gives the lock back when a process ends.

    Where there are no such locks, or the place cannot be written, everybody compiles.
    """
    try:
        import fcntl

        base.mkdir(parents=True, exist_ok=True)
        handle = os.open(base / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except (ImportError, OSError):
        yield
        return
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _forget_old(base: Path) -> None:
    """Remove kernels of versions that were compiled long ago; two installations may take turns, so not at once."""
    import shutil

    with contextlib.suppress(OSError):
        for other in base.iterdir():
            if time.time() - other.stat().st_mtime > CACHE_AGE_S:
                if other.suffix in (SUFFIX, ".part"):
                    other.unlink()
                elif other.is_dir() and len(other.name) == 16:  # numba's own cache, until version 0.1
                    shutil.rmtree(other, ignore_errors=True)


def compile_all(entries: frozenset[str] = COMMON) -> Objects:
    """Compile these entries, in processes of their own: two at a time, and no trace of numba in this one."""
    import subprocess

    processes: list[subprocess.Popen[bytes]] = []
    try:
        for names in _shares(entries, min(os.cpu_count() or 1, MOST_PROCESSES)):
            program = f"import sys; sys.path[:] = {sys.path!r}; from classifier.compiling import main; main({names!r})"
            command = [sys.executable, "-P", "-c", program]
            nothing, pipe = subprocess.DEVNULL, subprocess.PIPE
            processes.append(subprocess.Popen(command, stdin=nothing, stdout=pipe, stderr=pipe))
        objects: Objects = {}
        for process in processes:
            out, err = process.communicate()
            part = unpack(out) if process.returncode == 0 else None
            if part is None:
                said = err.decode(errors="replace").strip().splitlines() or [f"exit code {process.returncode}"]
                raise CannotCompile(said[-1])
            objects |= part
    except OSError as error:
        raise CannotCompile(str(error)) from None
    finally:
        for process in processes:  # after Ctrl-C
            if process.poll() is None:
                process.kill()
                process.communicate()
    return {name: objects[name] for name in ENTRIES if name in entries}


def _shares(entries: frozenset[str], count: int) -> list[list[str]]:
    """The entries in `count` parts of about the same work; what entries have in common is work once per part."""
    registry, _ = jit.registered()
    closures = {name: _reached(name) for name in ENTRIES if name in entries}
    parts: list[tuple[list[str], set[str]]] = [([], set()) for _ in range(count)]

    def work(functions: Iterable[str]) -> int:
        return sum(len(registry[name].__code__.co_code) for name in functions)

    for name in sorted(closures, key=lambda name: -work(closures[name])):
        part = min(parts, key=lambda part: work(part[1] | closures[name]))
        part[0].append(name)
        part[1].update(closures[name])
    return [names for names, _ in parts if names]


def _reached(name: str) -> set[str]:
    """A kernel and all that it calls, at any depth."""
    registry, _ = jit.registered()
    known: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each not in known:
            known.add(each)
            waiting.extend(callee for callee in registry[each].__code__.co_names if callee in registry)
    return known


_engines: list[Any] = []  # keep the code in memory


def link(objects: Objects) -> dict[str, Callable[..., Any]]:
    """Load object files into this process: a callable for each."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_triple(llvm.get_process_triple()).create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    for _, data in objects.values():
        engine.add_object_file(llvm.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _engines.append(engine)
    return {
        name: _Call(name, ENTRIES[name], engine.get_function_address(symbol)) for name, (symbol, _) in objects.items()
    }


_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
"""Status, from: where numba puts a result (unused), where it puts an exception (unused), the block of words."""


def _slow_address(rows: Any) -> int:
    return int(rows.ctypes.data)


def _address_reader() -> Callable[[Any], int]:
    """How to get the address of an array's bytes: `.ctypes` takes 2 us, 30 times a batch; this 0.2 us.

    In CPython an ndarray object is its header, then that address (numpy's C interface fixes it). Tried out first.
    """
    read, at = ctypes.c_size_t.from_address, object.__basicsize__

    def quick_address(rows: Any) -> int:
        return read(id(rows) + at).value

    samples = (np.zeros(3), np.zeros((2, 5), "u1"), np.zeros(9, "i8")[4:])
    works = sys.implementation.name == "cpython" and np.ndarray.__basicsize__ >= at + 8
    return quick_address if works and all(quick_address(s) == s.ctypes.data for s in samples) else _slow_address


class _Call:
    """A compiled kernel. Its arguments go as words in one block: integers, and for arrays the address and the shape.

    Results come back in the first two words. The interpreter's lock is released meanwhile.
    """

    def __init__(self, name: str, entry: Entry, address: int) -> None:
        self._name = name
        self._arguments = entry.arguments
        self._results = entry.results
        self._function = _FUNCTION(address)
        self._address = _address_reader()

    def __call__(self, *values: Any) -> Any:
        """Raises TypeError for what the kernel does not take, RuntimeError for what it raised (bounds checks)."""
        if len(values) != len(self._arguments):
            raise TypeError(f"{self._name} takes {len(self._arguments)} arguments, not {len(values)}")
        words = [0, 0, 0, 0]  # two for results, two that numba may write to
        for value, kind in zip(values, self._arguments, strict=True):
            if kind is None:
                words.append(int(value))
            elif isinstance(kind, Rows):
                self._add(value, kind, words)
            else:
                for each, rows in zip(value, kind, strict=True):
                    self._add(each, rows, words)
        block = array("q", words)
        at, _ = block.buffer_info()
        status = self._function(at + 16, at + 24, at)
        if status not in (0, -2):  # -2: numba's status for None
            raise RuntimeError(f"the kernel {self._name} stopped with status {status}")
        if self._results == 0:
            return None
        return block[0] if self._results == 1 else tuple(block[: self._results])

    def _add(self, value: Any, rows: Rows, words: list[int]) -> None:
        dtype = value.dtype
        if (dtype is not rows.dtype and dtype != rows.dtype) or value.ndim != rows.ndim:
            raise TypeError(f"{self._name} takes {rows}, not {value.ndim} dimensions of {dtype}")
        if not value.flags.c_contiguous:
            raise TypeError(f"{self._name} takes contiguous arrays")
        words.append(self._address(value))
        words.extend(value.shape)
