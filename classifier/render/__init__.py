"""Renderers: a Report in, bytes or text out. No arithmetic here.

`FORMATS` names the forms of output and the module that makes each; a renderer is imported only when it is used.
`write_output` puts the result into a file, whole or not at all.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classifier.files import whole_file


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
        Format("parquet", "classifier.render.parquet", (".parquet",), "one table, for data tools"),
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
    """Write `data` to `path` whole or not at all; raises OSError and leaves nothing behind when that fails."""
    with whole_file(path) as file:
        file.write(data)
