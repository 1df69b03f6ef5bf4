"""A batch from beginning to end: find the captures, leave out what is done, hand out the rest, put it in.

In: paths, a folder for the dataset, options. Out: the dataset, an `Outcome`. Next: `verbs` shows it. Nothing here
prints. One process, this one, puts captures into the dataset; workers only stage them.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from classifier.batch import inputs
from classifier.batch.dataset import UNREAD, BatchError, Dataset
from classifier.batch.schema import DAMAGED, UNREADABLE
from classifier.batch.settings import TIMELINE_BIN, Settings, fingerprint, program, signature_settings
from classifier.batch.task import Answer, Job, failed, stamp_of
from classifier.errors import CaptureError, SignatureError
from classifier.findings import Settings as Thresholds
from classifier.limits import Limits
from classifier.quantities import bin_ns

COMPILE_BYTES = 4 << 20
"""With more than this to read per worker, kernels are loaded compiled also for small captures: it is done once."""

Show = Callable[[int, int, int, int, int], None]
"""Captures done, of how many; bytes done, of how many; captures with problems."""


@dataclass
class Outcome:
    """What a run did. `missing`: inputs that were not found. `unreadable`, `damaged`: names of this run's inputs, with
    what is wrong. `skipped`: were in the dataset already. `elsewise`: captures in the dataset that another version or
    other options made and that are no input of this run."""

    dataset: Path
    captures: int = 0
    done: int = 0
    skipped: int = 0
    pruned: int = 0
    elsewise: int = 0
    missing: list[CaptureError] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)


def classify(
    captures: Sequence[str | os.PathLike[str]] | str | os.PathLike[str],
    dataset: str | os.PathLike[str],
    *,
    signatures: Sequence[str | os.PathLike[str]] = (),
    maps: Sequence[str] = (),
    hosts: Sequence[str] = (),
    thresholds: Sequence[str] = (),
    limits: Limits | None = None,
    bin: str = TIMELINE_BIN,
    workers: int | None = None,
    scheduler: str | None = None,
    root: str | os.PathLike[str] | None = None,
    prune: bool = False,
    recheck: bool = False,
    show: Show | None = None,
    remark: Callable[[str], None] | None = None,
) -> Outcome:
    """Classify captures, each on its own, into the dataset; what is in it already and has not changed is left out.

    `captures`: files, folders (searched with all their folders), patterns, `@FILE` for a list. `signatures`, `maps`,
    `hosts`, `limits` as for one capture (`limits`: only `flows` and `follow` count), `thresholds` of findings as
    `--set` has them. `bin`: width of the timeline's bins. `workers`: processes here (default: one per core), or
    `scheduler`: address of a Dask scheduler. `root`: folder that names begin below (default: of the first run).
    `prune`: take out captures that are not among the inputs. `recheck`: read files again although size and times are
    the same. `show`: told how far it is. `remark`: told, once each, what workers here wait for.

    Raises BatchError when the dataset or the workers cannot be used, SignatureError, ValueError for a wrong `bin`,
    threshold or number of workers, ImportError without pyarrow (or distributed).
    """
    import pyarrow  # noqa: F401  (before anything is begun)

    if workers is not None and workers < 1:
        raise ValueError(f"workers: at least 1 is needed, not {workers}")
    bin_ns(bin)
    Thresholds.of(thresholds)
    limits = limits or Limits()
    arguments = [captures] if isinstance(captures, str | os.PathLike) else list(captures)
    paths = [os.fspath(path) for path in signatures]
    contents = _checked_signatures(paths, maps, hosts)
    settings = Settings(
        signature_settings(paths, contents),
        tuple(maps),
        tuple(hosts),
        tuple(thresholds),
        limits.flows,
        limits.follow,
        bin,
    )
    found, missing = inputs.find(arguments)
    new_root = os.path.abspath(root) if root is not None else None  # noqa: PTH100
    with Dataset(dataset, new_root or inputs.common_root(found, arguments)) as into:
        if new_root is not None and new_root != into.root:
            into.use_root(new_root)
        outcome = Outcome(into.folder, len(found), missing=missing)
        copies = into.keep_signatures(paths, contents, [digest for _, digest in settings.signatures])
        batch = _Batch(into, settings, copies, outcome, show, remark)
        jobs = batch.jobs(found, recheck)
        batch.work(jobs, workers or _cores(), scheduler)
        batch.finish(prune and not missing)
    return outcome


def _checked_signatures(paths: Sequence[str], maps: Sequence[str], hosts: Sequence[str]) -> list[bytes]:
    """Contents of the signature files; raises SignatureError before anything is read."""
    from classifier.matching import load_signatures
    from classifier.matching.site import Site

    load_signatures(paths, Site.of(maps, hosts))
    try:
        return [Path(path).read_bytes() for path in paths]
    except OSError as error:
        raise SignatureError(str(error.filename), "the file", "a readable TOML file", str(error.strerror)) from None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Batch:
    """One run over one dataset."""

    def __init__(
        self,
        into: Dataset,
        settings: Settings,
        copies: Sequence[str],
        outcome: Outcome,
        show: Show | None,
        remark: Callable[[str], None] | None,
    ) -> None:
        self.into, self.settings, self.copies, self.outcome = into, settings, tuple(copies), outcome
        self.show, self.remark = show, remark
        self.remarks: set[str] = set()
        self.fingerprint = fingerprint(settings)
        self.rows = {
            row["capture_id"]: row for row in into.rows(("fingerprint", "sha256", "file_bytes", "status", "problems"))
        }
        self.of_name: dict[str, list[str]] = {}
        for capture_id in self.rows:
            self.of_name.setdefault(capture_id.partition("-")[0], []).append(capture_id)
        self.inputs: set[str] = set()  # name digits
        self.jobs_done = self.bytes_done = self.broken = 0
        self.total = self.count = 0
        self.under_way: dict[int, int] = {}

    def jobs(self, found: Sequence[str], recheck: bool) -> list[Job]:
        """What is to do, the largest first: the last ones to end shall be short."""
        jobs = []
        every = Job("", "", 0, str(self.into.staging), self.settings.text(), self.copies, program())
        for path in found:
            name = inputs.name_of(path, self.into.root)
            digits = inputs.name_digits(name)
            self.inputs.add(digits)
            same = [old for old in self.of_name.get(digits, ()) if self._is_current(old)]
            try:
                stamp = stamp_of(os.stat(path))  # noqa: PTH116
            except OSError:
                stamp = []
            if not recheck and any(self.into.stamps.get(old) == stamp for old in same):
                self._note(same[0], self.rows[same[0]]["status"], (self.rows[same[0]]["problems"] or [""])[0])
                self.outcome.skipped += 1
                continue
            size = stamp[0] if stamp else 0
            known = tuple(old.partition("-")[2] for old in same if recheck or self.rows[old]["file_bytes"] == size)
            jobs.append(replace(every, path=path, name=name, size=size, known=known))
        jobs.sort(key=lambda job: (-job.size, job.name))
        return jobs

    def _is_current(self, capture_id: str) -> bool:
        row = self.rows[capture_id]
        return row["fingerprint"] == self.fingerprint and row["sha256"] is not None

    def work(self, jobs: list[Job], workers: int, scheduler: str | None) -> None:
        """Do the jobs, and put each in as it comes. An exception leaves what is in the dataset as it is."""
        self.total, self.count = sum(job.size for job in jobs), len(jobs)
        if not jobs:
            return
        compiled = True if self.total > COMPILE_BYTES * workers or scheduler else None
        texts = [replace(job, compiled=compiled).text() for job in jobs]
        answers: Iterator[tuple[int, str | None, str]]
        if scheduler is not None:
            from classifier.batch import cluster

            answers = cluster.run(texts, scheduler)
        else:
            from classifier.batch import pool

            answers = pool.run(texts, workers, self._told, self._remarked)
        with contextlib.closing(answers):  # type: ignore[type-var]  # both are generators
            self._progress()
            for number, text, trouble in answers:
                job = jobs[number]
                answer = Answer.of(text) if text is not None else self._ended(job, trouble)
                if answer.stop:
                    raise BatchError(answer.stop)
                self._put(job, answer)
                self.under_way.pop(number, None)
                self.jobs_done += 1
                self.bytes_done += job.size
                self._progress()

    def _ended(self, job: Job, trouble: str) -> Answer:
        try:
            return failed(job, "worker_died", trouble)
        except OSError as error:
            raise BatchError(f"{error.filename or self.into.folder}: {error.strerror or error}") from None

    def _remarked(self, text: str) -> None:
        if self.remark is not None and text not in self.remarks:
            self.remarks.add(text)
            self.remark(text)

    def _told(self, number: int, done: int) -> None:
        self.under_way[number] = done
        self._progress()

    def _progress(self) -> None:
        if self.show is not None:
            done = self.bytes_done + sum(self.under_way.values())
            self.show(self.jobs_done, self.count, min(done, self.total), self.total, self.broken)

    def _put(self, job: Job, answer: Answer) -> None:
        digits, _, content = answer.capture_id.partition("-")
        before = self.of_name.get(digits, [])
        if not answer.staged:  # read again, and found to be the same
            row = self.rows[answer.capture_id]
            self._note(answer.capture_id, row["status"], (row["problems"] or [""])[0])
            self.outcome.skipped += 1
        elif content == UNREAD and any(not old.endswith(UNREAD) for old in before):
            self._note(before[0], answer.status, answer.problem)  # what is known of it stays
            self.outcome.done += 1
        else:
            self.into.put(Path(answer.staged), answer.capture_id, before)
            self.of_name[digits] = [answer.capture_id]
            self._note(answer.capture_id, answer.status, answer.problem, job.name)
            self.outcome.done += 1
        if answer.stamp:
            self.into.stamp(answer.capture_id, list(answer.stamp))

    def _note(self, capture_id: str, status: str, problem: str, name: str = "") -> None:
        """Keep what the run says of one of its inputs."""
        self.outcome.ids.add(capture_id)
        name = name or self.rows[capture_id]["name"]
        if status == UNREADABLE:
            self.outcome.unreadable.append((name, problem))
        elif status == DAMAGED:
            self.outcome.damaged.append((name, problem))
        self.broken += status in (UNREADABLE, DAMAGED)

    def finish(self, prune: bool) -> None:
        """Take out what is no input any more, when asked to; count what another run made."""
        for capture_id in sorted(self.into.ids()):
            if capture_id.partition("-")[0] in self.inputs:
                continue
            if prune:
                self.into.remove(capture_id)
                self.outcome.pruned += 1
            elif self.rows.get(capture_id, {}).get("fingerprint") != self.fingerprint:
                self.outcome.elsewise += 1
        self.outcome.unreadable.sort()
        self.outcome.damaged.sort()
