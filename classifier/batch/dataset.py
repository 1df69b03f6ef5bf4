"""The dataset's folder: what is in it, and how something gets in or out.

In: staged files of one capture (`task`). Out: `captures/ID.parquet`, `flows/ID.parquet`, ... Next: any reader of
Parquet; `summary`.

A capture is in the dataset when its row in `captures` is: that file is put in last and taken out first, each by one
renaming or removal. Whatever else has no such row is a leftover of a run that was killed; the next run removes it. What
is not for readers lies in `_batch`, which pandas, Spark and Arrow pass over.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TextIO

from classifier.batch.schema import DATASET, LAYOUT
from classifier.errors import ClassifierError
from classifier.files import whole_file

OWN = "_batch"
ABOUT = "dataset.json"
_ID_FILE = re.compile(r"([0-9a-f]{16}-[0-9a-f]{16})\.parquet")
UNREAD = "0" * 16
"""Instead of the content's digits, for what could not be read to its end."""

Stamp = list[int]
"""Size, time of last change of content, of status (both ns): while they stay, so does the content."""


class BatchError(ClassifierError):
    """The run cannot go on: the dataset cannot be written, workers cannot be started or reached."""


def is_dataset(folder: Path) -> bool:
    """Whether a folder is a dataset of ours."""
    return (folder / OWN / ABOUT).is_file()


class Dataset:
    """An open dataset; one run at a time has it. Raises BatchError for what is none, or in use."""

    def __init__(self, folder: str | os.PathLike[str], root: str) -> None:
        """Open or make it. `root`: for a new one, the folder that captures are named from."""
        self.folder = Path(os.path.abspath(folder))  # noqa: PTH100
        self._lock: TextIO | None = None
        self._stamps_file: TextIO | None = None
        try:
            self._open(root)
        except OSError as error:
            self.close()
            raise BatchError(f"{self.folder}: {error.strerror or error}") from None
        except BaseException:
            self.close()
            raise

    def _open(self, root: str) -> None:
        own = self.folder / OWN
        if not is_dataset(self.folder):
            if self.folder.exists() and any(each.name != OWN for each in self.folder.iterdir()):
                raise BatchError(f"{self.folder}: is not empty, and no dataset of classify batch")
            own.mkdir(parents=True, exist_ok=True)
            with whole_file(own / ABOUT) as file:
                file.write((json.dumps({"layout": LAYOUT, "root": root}) + "\n").encode())
        try:
            about = json.loads((own / ABOUT).read_text(encoding="ascii"))
            layout, self.root = about["layout"], str(about["root"])
        except (ValueError, KeyError, TypeError):
            raise BatchError(f"{own / ABOUT}: is damaged; begin a new dataset") from None
        if layout != LAYOUT:
            raise BatchError(f"{self.folder}: is of another version of classify; begin a new dataset")
        self._lock = (own / "lock").open("a", encoding="ascii")
        if not _locked(self._lock):
            raise BatchError(f"{self.folder}: another classify batch is writing to it")
        for table in DATASET:
            (self.folder / table).mkdir(exist_ok=True)
        shutil.rmtree(own / "staging", ignore_errors=True)
        self.staging = own / "staging" / secrets.token_hex(6)
        self.staging.mkdir(parents=True)
        self._clean()
        self.stamps = self._read_stamps()
        self._stamps_file = (own / "stamps.jsonl").open("a", encoding="ascii")

    def close(self) -> None:
        """Give it free for the next run; nothing is staged any more."""
        if hasattr(self, "staging"):
            shutil.rmtree(self.staging.parent, ignore_errors=True)
        for file in (self._stamps_file, self._lock):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._lock = self._stamps_file = None

    def __enter__(self) -> Dataset:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def use_root(self, root: str) -> None:
        """From now on names begin below another folder: the captures have moved."""
        with whole_file(self.folder / OWN / ABOUT) as file:
            file.write((json.dumps({"layout": LAYOUT, "root": root}) + "\n").encode())
        self.root = root

    def path(self, table: str, capture_id: str) -> Path:
        """The file of a capture in a table."""
        return self.folder / table / f"{capture_id}.parquet"

    def ids(self) -> set[str]:
        """Captures that are in the dataset."""
        return self._listed("captures")

    def _listed(self, table: str) -> set[str]:
        with os.scandir(self.folder / table) as entries:
            return {match[1] for entry in entries if (match := _ID_FILE.fullmatch(entry.name))}

    def _clean(self) -> None:
        """Remove what a killed run left behind."""
        listed = {table: self._listed(table) for table in DATASET}
        whole = set.intersection(*listed.values())
        for capture_id in set.union(*listed.values()) - whole:
            self.remove(capture_id)
        for left in (self.folder / OWN).rglob(".*.tmp"):
            left.unlink(missing_ok=True)

    def remove(self, capture_id: str) -> None:
        """Take a capture out."""
        for table in DATASET:  # captures come first
            self.path(table, capture_id).unlink(missing_ok=True)

    def put(self, staged: Path, capture_id: str, before: Sequence[str]) -> None:
        """Put in the staged files of a capture, in place of `before`. Raises BatchError."""
        try:
            for old in before:
                self.remove(old)
            for table in reversed(DATASET):  # captures come last
                (staged / f"{table}.parquet").replace(self.path(table, capture_id))
            staged.rmdir()
        except OSError as error:
            where = error.filename or self.folder
            hint = ", if workers run on other machines: do they see this folder?" if not staged.exists() else ""
            raise BatchError(f"{where}: {error.strerror or error}{hint}") from None

    def rows(self, columns: Sequence[str]) -> list[dict[str, Any]]:
        """Columns of `captures`, in order of name and id. A file that cannot be read is none, and is taken out."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        wanted = sorted({*columns, "name", "capture_id"})

        def row(capture_id: str) -> dict[str, Any] | None:
            try:
                table = pq.read_table(self.path("captures", capture_id), columns=wanted, partitioning=None)
                return table.to_pylist()[0] if table.num_columns == len(wanted) else None  # else of another version
            except (OSError, pa.ArrowException, IndexError):
                return None

        ids = sorted(self.ids())
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(ids, pool.map(row, ids), strict=True))
        for capture_id, known in found.items():
            if known is None:
                self.remove(capture_id)
        return sorted((r for r in found.values() if r is not None), key=lambda r: (r["name"], r["capture_id"]))

    def keep_signatures(self, paths: Sequence[str], contents: Sequence[bytes], digests: Sequence[str]) -> list[str]:
        """Copies of signature files that every worker reads, whatever becomes of the user's; raises BatchError."""
        kept = []
        for path, data, digest in zip(paths, contents, digests, strict=True):
            copy = self.folder / OWN / "signatures" / digest / Path(path).name
            try:
                copy.parent.mkdir(parents=True, exist_ok=True)
                with whole_file(copy) as file:
                    file.write(data)
            except OSError as error:
                raise BatchError(f"{copy}: {error.strerror or error}") from None
            kept.append(str(copy))
        return kept

    def _read_stamps(self) -> dict[str, Stamp]:
        """What files looked like when they were read, by capture; lines that are damaged count as missing."""
        path = self.folder / OWN / "stamps.jsonl"
        known: dict[str, Stamp] = {}
        with contextlib.suppress(FileNotFoundError), path.open(encoding="ascii", errors="replace") as lines:
            for line in lines:
                with contextlib.suppress(ValueError, TypeError):
                    capture_id, *stamp = json.loads(line)
                    known[str(capture_id)] = [int(number) for number in stamp]
        there = self.ids()
        known = {capture_id: stamp for capture_id, stamp in known.items() if capture_id in there}
        with whole_file(path) as file:
            for line in _stamp_lines(known):
                file.write(line.encode())
        return known

    def stamp(self, capture_id: str, stamp: Stamp) -> None:
        """Note what a file looks like whose content is in the dataset."""
        self.stamps[capture_id] = stamp
        assert self._stamps_file is not None
        self._stamps_file.writelines(_stamp_lines({capture_id: stamp}))
        self._stamps_file.flush()


def _stamp_lines(stamps: Mapping[str, Stamp]) -> Iterator[str]:
    for capture_id, stamp in stamps.items():
        yield json.dumps([capture_id, *stamp]) + "\n"


def _locked(file: TextIO) -> bool:
    """Lock a file for this process; the system gives it free when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: two runs at a time are not noticed
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
