"""What the tests of batches share: captures, the bytes of a dataset, the command as a process."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from captures.make_many import main as make_many
from classifier.batch.dataset import OWN

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "classifier", "batch"]


def sites(folder: Path, count: int = 3, files: int = 2) -> Path:
    """A folder with captures of `count` sites; from two sites on, one file is cut and one is none."""
    make_many(folder, count, files)
    return folder


def contents(dataset: Path) -> dict[str, str]:
    """What readers see: file names below the tables' folders, with a digest of their bytes."""
    return {
        path.relative_to(dataset).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(dataset.rglob("*"))
        if path.is_file() and OWN not in path.relative_to(dataset).parts
    }


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def command(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """`classify batch` with these arguments, to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, env=environment(), cwd=cwd, check=False
    )


def age(folder: Path, seconds: int = 60) -> None:
    """Make files look as if nobody had touched them for a while (their status still changes now)."""
    for path in folder.rglob("*"):
        if path.is_file():
            status = path.stat()
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns - seconds * 10**9))
