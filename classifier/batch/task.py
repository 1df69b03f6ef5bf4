"""One capture of many: read it, write its tables into a staging folder.

In: a job as text, from whoever hands them out (`worker` here, `cluster` elsewhere). Out: an answer as text: what was
staged, and where. Next: `dataset.Dataset.put`, in the process that runs the batch. The files' bytes depend on the
capture's name and content, the settings and the program, on nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from classifier.batch.dataset import UNREAD, Stamp
from classifier.batch.inputs import name_digits, site_of
from classifier.batch.schema import DAMAGED, DATASET, OK, SECTIONS, UNREADABLE
from classifier.batch.settings import Settings, fingerprint, program
from classifier.errors import CaptureError, NotACaptureError
from classifier.render import parquet

CHUNK = 1 << 20
SETTLED_NS = 2_000_000_000
"""A file that changed less than this before it was read may change again without its times telling."""
PROBLEMS_LISTED = 100

Told = Callable[[int], None]

_one_at_a_time = threading.Lock()  # a worker of a cluster may have several threads


@dataclass(frozen=True)
class Job:
    """One capture to do. `known`: contents (16 digits) of this name that are in the dataset already."""

    path: str
    name: str
    size: int
    staging: str
    settings: str
    signatures: tuple[str, ...]
    program: str
    compiled: bool | None = None
    known: tuple[str, ...] = ()

    def text(self) -> str:
        """ASCII, also for paths that are no text."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Job:
        """The job that `text` was made from."""
        fields = json.loads(text)
        return cls(**(fields | {key: tuple(fields[key]) for key in ("signatures", "known")}))


@dataclass(frozen=True)
class Answer:
    """What became of a job. `staged`: the folder with its tables, empty when the content is in the dataset already.
    `stop`: why the whole run cannot go on; empty if it can."""

    capture_id: str = ""
    status: str = ""
    problem: str = ""
    staged: str = ""
    stamp: tuple[int, ...] = ()
    stop: str = ""

    def text(self) -> str:
        """ASCII."""
        return json.dumps(asdict(self))

    @classmethod
    def of(cls, text: str) -> Answer:
        """The answer that `text` was made from."""
        fields = json.loads(text)
        return cls(**(fields | {"stamp": tuple(fields["stamp"])}))


class HashedFile:
    """A file read once from its beginning, its SHA-256 taken on the way. Raises CaptureError."""

    def __init__(self, path: str) -> None:
        self.name = path
        try:
            self._file = os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb", buffering=0)
        except OSError as error:
            raise CaptureError(path, f"cannot be opened ({error.strerror or error})") from None
        self._digest = hashlib.sha256()
        self._failed = False
        self.status = os.fstat(self._file.fileno())
        if not stat.S_ISREG(self.status.st_mode):
            self._file.close()
            raise CaptureError(path, "is not a file")

    def readinto(self, view: Any) -> int:
        """As a raw file's."""
        try:
            count = self._file.readinto(view)
        except OSError:
            self._failed = True
            raise
        self._digest.update(view[:count])
        return count or 0

    def read(self, size: int) -> bytes:
        """As a raw file's."""
        piece = bytearray(size)
        return bytes(piece[: self.readinto(memoryview(piece))])

    def fileno(self) -> int:
        """The file descriptor: readers ask for the size."""
        return self._file.fileno()

    def tell(self) -> int:
        """Bytes read."""
        return self._file.tell()

    def isatty(self) -> bool:
        """Never."""
        return False

    def sha256(self) -> str | None:
        """Of the whole file, reading what is left of it; None when that is impossible."""
        piece = memoryview(bytearray(CHUNK))
        with contextlib.suppress(OSError):
            while not self._failed:
                if not self.readinto(piece):
                    return self._digest.hexdigest()
        return None

    def stamp(self) -> Stamp:
        """What the file looked like all the time; empty when it changed, or too short a time ago to be sure."""
        now = os.fstat(self._file.fileno())
        before, after = stamp_of(self.status), stamp_of(now)
        settled = max(after[1:]) + SETTLED_NS < time.time_ns()
        return after if before == after and settled else []

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def stamp_of(status: os.stat_result) -> Stamp:
    """Size and times of a file."""
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def work(text: str, told: Told | None = None) -> str:
    """Do a job; never raises for what a capture contains. `told(bytes read)` is called about once per megabyte."""
    job = Job.of(text)
    if job.program != program():
        stop = f"a worker runs another program ({program()}) than the one that asks ({job.program})"
        return Answer(stop=stop).text()
    with _one_at_a_time:
        try:
            return _work(job, told).text()
        except OSError as error:  # the capture's own errors are caught where it is read
            return Answer(stop=f"{error.filename or job.staging}: {error.strerror or error}").text()


def _work(job: Job, told: Told | None) -> Answer:
    try:
        file = HashedFile(job.path)
    except CaptureError as error:
        return failed(job, "unreadable", error.message)
    try:
        if job.known:
            sha256 = file.sha256()
            if sha256 is not None and sha256[:16] in job.known:
                return Answer(_id(job, sha256), stamp=tuple(file.stamp()))
            file.close()
            file = HashedFile(job.path)
        return _classified(job, file, told)
    except CaptureError as error:  # the second opening
        return failed(job, "unreadable", error.message)
    finally:
        file.close()


def _classified(job: Job, file: HashedFile, told: Told | None) -> Answer:
    from classifier.engine import classify
    from classifier.findings import Settings as Thresholds
    from classifier.limits import Limits
    from classifier.matching.site import Site

    settings = Settings.of(job.settings)
    try:
        report = classify(
            file,  # type: ignore[arg-type]  # as much of a stream as a reader needs
            signatures=job.signatures,
            site=Site.of(settings.maps, settings.hosts),
            settings=Thresholds.of(settings.thresholds),
            limits=Limits(flows=settings.max_flows, follow=settings.follow),
            compiled=job.compiled,
            progress=None if told is None else lambda done, total, packets: told(done),
        ).with_timeline(bin=settings.bin)
        sha256 = file.sha256()
        tables = {section: report.columns(section) for section in SECTIONS}
        row = _about(report, job.signatures)
    except NotACaptureError as error:
        return failed(job, "not_a_capture", error.message, file)
    except CaptureError as error:
        return failed(job, "unreadable", error.message, file)
    except OSError as error:
        return failed(job, "unreadable", error.strerror or str(error))
    except Exception as error:
        return failed(job, "internal", f"stopped by an error of its own ({type(error).__name__}: {error})")
    return _staged(job, sha256, file, row, tables)


def failed(job: Job, code: str, message: str, file: HashedFile | None = None) -> Answer:
    """The answer for a capture that could not be read: because of its content, with the file, or of the machine."""
    row = {"status": UNREADABLE, "problem_count": 1, "problem_codes": [code], "problems": [message]}
    return _staged(job, file.sha256() if file is not None else None, file, row, {})


def _staged(
    job: Job, sha256: str | None, file: HashedFile | None, row: dict[str, Any], tables: dict[str, Any]
) -> Answer:
    settings = Settings.of(job.settings)
    capture_id = _id(job, sha256)
    whole: dict[str, Any] = _EMPTY | row
    whole |= {
        "capture_id": capture_id,
        "name": job.name,
        "site": site_of(job.name),
        "sha256": sha256,
        "file_bytes": file.tell() if file is not None and sha256 is not None else None,
        "classify_version": program().split("+")[0],
        "options": job.settings,
        "fingerprint": fingerprint(settings),
    }
    folder = Path(job.staging) / secrets.token_hex(8)  # another try of the same job has its own
    folder.mkdir()
    for table, columns in DATASET.items():
        if table == "captures":
            values = {column.name: [whole[column.name]] for column in columns}
        else:
            values = tables.get(table) or {column.name: [] for column in columns}
            values = {"capture_id": [capture_id] * len(values[columns[1].name]), **values}
        with (folder / f"{table}.parquet").open("xb") as out:
            parquet.write(parquet.arrow_table(columns, values), out)
            out.flush()
            os.fsync(out.fileno())
    stamp = file.stamp() if file is not None and sha256 is not None else []
    problem = whole["problems"][0] if whole["problems"] else ""
    return Answer(capture_id, whole["status"], problem, str(folder), tuple(stamp))


def _id(job: Job, sha256: str | None) -> str:
    return f"{name_digits(job.name)}-{sha256[:16] if sha256 else UNREAD}"


_EMPTY: dict[str, Any] = {
    **dict.fromkeys(("format", "compression", "hardware", "os", "application"), ""),
    **dict.fromkeys(("packets", "wire_bytes", "captured_bytes", "ip_bytes", "flows", "duration_ns", "dropped"), 0),
    **dict.fromkeys(("first_ns", "last_ns")),
    **{name: [] for name in ("link_types", "cut", "comments")},
    "complete": False,
    "timeline_bin_ns": 0,
}


def _about(report: Any, signatures: Sequence[str]) -> dict[str, Any]:
    """The capture's row, from its report."""
    (info,) = report.captures
    problems = [(each.code, _sentence(each)) for each in info.problems]
    problems += [(each.code, _without_folders(each.message, signatures)) for each in report.problems]
    totals = report.totals
    return {
        **{name: totals[name] for name in ("packets", "wire_bytes", "captured_bytes", "ip_bytes", "flows")},
        **{name: totals[name] for name in ("first_ns", "last_ns", "duration_ns")},
        **{name: getattr(info, name) for name in ("format", "complete", "dropped", "hardware", "os", "application")},
        "status": OK if info.complete else DAMAGED,
        "compression": info.compression or "",
        "link_types": list(info.link_types),
        "problem_count": info.problem_count + len(report.problems),
        "problem_codes": [code for code, _ in problems[:PROBLEMS_LISTED]],
        "problems": [message for _, message in problems[:PROBLEMS_LISTED]],
        "cut": [
            f"{limit['section']}: {limit['listed']} of {limit['total']}"
            for limit in report.limits()
            if limit["section"] in SECTIONS
        ],
        "comments": [comment.text for comment in info.comments],
        "timeline_bin_ns": report.time["timeline_bin_ns"],
    }


def _sentence(problem: Any) -> str:
    place = f"record {problem.record}, byte {problem.offset}: " if problem.record > 0 else ""
    return f"{place}{problem.message}"


def _without_folders(message: str, paths: Sequence[str]) -> str:
    """A message that names a signature file, without where this dataset keeps it."""
    for path in paths:
        message = message.replace(path, Path(path).name)
    return message
