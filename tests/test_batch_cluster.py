"""Many captures on a real Dask cluster: a scheduler and workers in processes of their own, one of them killed."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from many import contents, environment, sites

pytest.importorskip("pyarrow")
pytest.importorskip("distributed")

from classifier.batch import classify
from classifier.batch import cluster as cluster_driver
from classifier.batch.dataset import BatchError
from classifier.batch.schema import DATASET

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.name == "nt", reason="POSIX signals"),
    pytest.mark.filterwarnings("ignore"),  # the cluster's own libraries, not ours
]
SITES, FILES = 67, 3


class Cluster:
    """A scheduler and workers, as a user starts them."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.about = folder / "scheduler.json"
        self.log = (folder / "log").open("wb")
        self.scheduler = self._start("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-show")
        self.workers = [
            self._start("dask_worker", "--no-nanny", "--nthreads", "2", "--local-directory", str(folder))
            for _ in range(workers)
        ]

    def _start(self, program: str, *options: str) -> subprocess.Popen[bytes]:
        module = f"distributed.cli.{program}"
        words = [sys.executable, "-m", module, "--scheduler-file", str(self.about), "--no-dashboard", *options]
        return subprocess.Popen(words, stdout=self.log, stderr=self.log, env=environment())

    @property
    def address(self) -> str:
        """Where the scheduler listens, as soon as it does."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, ValueError, KeyError):
                return str(json.loads(self.about.read_text(encoding="ascii"))["address"])
            time.sleep(0.05)
        raise AssertionError("no scheduler")

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path, 3)
    try:
        yield made
    finally:
        made.close()


def test_a_killed_worker_changes_no_byte_of_hundreds_of_captures(cluster: Cluster, tmp_path: Path) -> None:
    folder = sites(tmp_path / "captures", SITES, FILES)
    captures = SITES * FILES + 1
    one = threading.Thread(target=classify, args=(folder, tmp_path / "one"), kwargs={"workers": 1})
    one.start()
    killed: list[int] = []

    def kill_in_the_middle(done: int, of: int, *rest: int) -> None:
        if done >= of // 3 and not killed:
            victim = cluster.workers[1]
            victim.kill()
            victim.wait()
            killed.append(done)

    outcome = classify(folder, tmp_path / "many", scheduler=cluster.address, show=kill_in_the_middle)
    one.join()
    assert (outcome.captures, outcome.done) == (captures, captures)
    assert killed and killed[0] < captures // 2
    assert [name for name, _ in outcome.unreadable] == ["site-02/notes.pcap"]
    expected = contents(tmp_path / "one")
    assert len(expected) == captures * len(DATASET)
    assert contents(tmp_path / "many") == expected

    again = classify(folder, tmp_path / "many", scheduler=cluster.address)
    assert (again.done, again.skipped) == (0, captures)


def test_a_worker_with_another_program_is_refused(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sites(tmp_path / "captures", 1, 1)
    monkeypatch.setattr("classifier.batch.run.program", lambda: "0.0.1+0 pyarrow 1 numpy 1")
    with pytest.raises(BatchError, match="runs another program"):
        classify(folder, tmp_path / "dataset", scheduler=cluster.address)
    assert not list((tmp_path / "dataset").glob("*/*.parquet"))


@pytest.mark.parametrize("how", ["status", "answer"])
def test_a_lost_cluster_is_a_sentence_whenever_it_is_noticed(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a job's end and its answer the connection may break: once that was a traceback."""
    import distributed
    from distributed.comm.core import CommClosedError

    class Future:
        status = "lost" if how == "status" else "finished"

        def __init__(self, key: str) -> None:
            self.key = key

        def result(self) -> str:
            raise CommClosedError("connection closed")

    class Client:
        loop = None

        def __init__(self, *words: object, **more: object) -> None:
            pass

        def map(self, work: object, texts: list[str], key: list[str], pure: bool) -> list[Future]:
            return [Future(each) for each in key]

        def close(self) -> None:
            pass

    monkeypatch.setattr(distributed, "Client", Client)
    monkeypatch.setattr(distributed, "as_completed", lambda futures, loop: iter(futures))
    with pytest.raises(BatchError, match="the cluster at tcp://there was lost"):
        list(cluster_driver.run(["job"], "tcp://there"))


def test_a_scheduler_that_ends_is_a_sentence_and_the_next_run_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    folder = sites(tmp_path / "captures", 8, 3)

    def end(done: int, of: int, *rest: int) -> None:
        if done == 3:
            cluster.scheduler.kill()

    with pytest.raises(BatchError, match="lost"):
        classify(folder, tmp_path / "dataset", scheduler=cluster.address, show=end)
    there = len(list((tmp_path / "dataset" / "captures").glob("*.parquet")))
    assert 3 <= there < 25
    outcome = classify(folder, tmp_path / "dataset", workers=1)
    assert outcome.done == 25 - there and outcome.skipped == there
