"""Which files a run is about.

In: what the user named: files, folders, patterns, lists (`@FILE`). Out: paths of files that are captures, or are called
so, each once, and what could not be found. Next: `run`.
"""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from classifier.batch.dataset import is_dataset
from classifier.capture import is_capture
from classifier.capture.detect import called_capture
from classifier.errors import CaptureError


def find(arguments: Sequence[str | os.PathLike[str]]) -> tuple[list[str], list[CaptureError]]:
    """Absolute paths in a fixed order, and an error for each argument that gives none.

    A folder is searched with all its folders; hidden ones and datasets are left out, links to folders not followed. A
    pattern (`*`, `?`, `[...]`, `**`) and a list (`@FILE`: a path per line, or NUL between them as `find -print0` writes
    it) count only where no file has that very name.
    """
    found: dict[str, None] = {}
    errors: list[CaptureError] = []
    for argument in arguments:
        try:
            for path in _named(os.fspath(argument), errors):
                found.setdefault(str(Path(path).absolute()) if ".." not in PurePath(path).parts else _direct(path))
        except CaptureError as error:
            errors.append(error)
    return list(found), errors


def _direct(path: str) -> str:
    return os.path.abspath(path)  # noqa: PTH100  (without `..`, and without following links)


def _named(argument: str, errors: list[CaptureError]) -> Iterator[str]:
    if os.path.lexists(argument):
        yield from _below(argument, errors)
    elif argument.startswith("@"):
        for entry in _listed(argument[1:]):
            if os.path.lexists(entry):
                yield from _below(entry, errors)
            else:
                errors.append(CaptureError(entry, f"no such file (in the list {argument[1:]})"))
    elif glob.has_magic(argument):
        matches = sorted(glob.glob(argument, recursive=True))  # noqa: PTH207  (the pattern may be absolute)
        if not matches:
            raise CaptureError(argument, "no file has a name like that")
        for match in matches:
            if not Path(match).is_dir():  # `**` gives folders too, and what is in them again
                yield match
            elif "**" not in argument:
                yield from _below(match, errors)
    else:
        raise CaptureError(argument, "no such file")


def _listed(path: str) -> list[str]:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise CaptureError(path, f"the list cannot be read ({error.strerror or error})") from None
    entries = data.split(b"\0") if b"\0" in data else data.splitlines()
    return [os.fsdecode(entry) for entry in entries if entry.strip()]


def _below(path: str, errors: list[CaptureError]) -> Iterator[str]:
    if not Path(path).is_dir():
        yield path
        return
    empty = True
    for found in _walk(path, errors):
        empty = False
        yield found
    if empty:
        raise CaptureError(path, "is a folder without captures")


def _walk(top: str, errors: list[CaptureError]) -> Iterator[str]:
    def note(error: OSError) -> None:
        errors.append(CaptureError(str(error.filename), f"cannot be listed ({error.strerror or error})"))

    for folder, folders, files in os.walk(top, onerror=note):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not is_dataset(Path(folder) / name)
        )
        for name in sorted(files):
            path = Path(folder) / name
            if not name.startswith(".") and path.is_file() and (called_capture(name) or is_capture(path)):
                yield str(path)


def name_of(path: str, root: str) -> str:
    """What the dataset calls a file: its path below `root`, else its whole path, with `/` between folders."""
    pure = PurePath(path)
    try:
        return pure.relative_to(root).as_posix()
    except ValueError:
        return pure.as_posix()


def site_of(name: str) -> str:
    """The first folder of a name (of a whole path the folder that holds the file); without one the bare file name."""
    folder, _, file = name.rpartition("/")
    if name.startswith("/") or PurePath(name).is_absolute():
        folder = PurePath(folder).name
    if folder:
        return folder.split("/")[0]
    bare = file.lstrip(".").split(".")[0]
    return bare or file


def name_digits(name: str) -> str:
    """16 hex digits of a name; the bytes that the file system has count, whatever they are as text."""
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:16]


def common_root(paths: Sequence[str], arguments: Sequence[str | os.PathLike[str]]) -> str:
    """The folder that names begin below: the one folder named, else the deepest one that holds all files."""
    if len(arguments) == 1 and Path(arguments[0]).is_dir():
        return _direct(os.fspath(arguments[0]))
    try:
        return os.path.commonpath([str(Path(path).parent) for path in paths])
    except ValueError:  # on several drives
        return str(Path.cwd())
