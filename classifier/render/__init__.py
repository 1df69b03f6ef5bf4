"""Renderers: a Report in, bytes or text out. No arithmetic here.

`FORMATS` names the forms of output and the module that makes each; a renderer is imported only when it is used.
`write_output` puts the result into a file, whole or not at all.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Format:
    """One form of output: the module that renders it and the file suffixes that mean it."""

    name: str
    module: str
    suffixes: tuple[str, ...]
    meaning: str

    def load(self) -> Any:
        """The renderer's module; it has a function `render`."""
        return importlib.import_module(self.module)


FORMATS: dict[str, Format] = {
    known.name: known
    for known in (
        Format("table", "classifier.render.text", (".txt",), "text for people"),
        Format("json", "classifier.render.json", (".json",), "the whole report as one document"),
        Format("csv", "classifier.render.csv", (".csv",), "one table"),
    )
}


def format_of(path: str | os.PathLike[str]) -> str | None:
    """Name of the format that the suffix of `path` means, None when it means none."""
    suffix = Path(path).suffix.lower()
    for known in FORMATS.values():
        if suffix in known.suffixes:
            return known.name
    return None


def write_output(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path` whole or not at all; raises OSError and leaves nothing behind when that fails.

    An existing file keeps its permissions; a link's target is replaced, not the link; a device or pipe is written to.
    """
    target = Path(path).resolve() if Path(path).is_symlink() else Path(path)
    mode = None
    with contextlib.suppress(FileNotFoundError):
        status = target.stat()
        if not stat.S_ISREG(status.st_mode):
            target.write_bytes(data)  # /dev/stdout, a named pipe: nothing there to replace; a folder: raises
            return
        mode = stat.S_IMODE(status.st_mode)
    temporary = target.with_name(f".{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
