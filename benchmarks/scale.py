#!/usr/bin/env python3
"""Measure what a capture costs in a batch, and calculate what 10,000 captures of 2 GB need on 1, 10 and 100 workers.

    python benchmarks/scale.py               # measures, prints
    python benchmarks/scale.py --publish     # and writes benchmarks/scale.md

In: captures made here (small ones; one of `generate.py`, about 0.5 GB, kept in benchmarks/data). Out: the costs, each
the median of the rounds, and the calculation from them. Nothing here passes or fails by a time.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import generate  # noqa: E402
import run  # noqa: E402

from captures.make_many import main as make_many  # noqa: E402
from classifier.batch.dataset import Dataset  # noqa: E402
from classifier.batch.run import classify  # noqa: E402
from classifier.batch.schema import DATASET  # noqa: E402
from classifier.batch.settings import Settings, program  # noqa: E402
from classifier.batch.task import Answer, HashedFile, Job, work  # noqa: E402

GB = 1e9
CAPTURES, SIZE_GB, FLOWS = 10_000, 2.0, 1_000
WORKERS = (1, 10, 100)
STORES = (
    ("one hard disk", 0.2),
    ("1 Gbit/s network", 0.118),
    ("10 Gbit/s network", 1.18),
    ("one NVMe disk", 3.0),
    ("a parallel file system", 20.0),
)
"""Storage by what it reads in GB/s, all readers together: assumptions, not measured."""
SMALL, TASKS, BIG_PACKETS = 60, 500, 500_000


@dataclass(frozen=True)
class Costs:
    """What was measured. Seconds are of processor time (user and system) unless they are called wall."""

    start_wall: float  # a worker process, until it takes jobs
    first: float  # loading compiled kernels, with the first capture
    capture: float  # of a small capture, warm
    gb: float  # of a GB of video, warm, with SHA-256
    gb_sha: float  # of it the SHA-256
    gb_wall: float
    put_wall: float  # putting a capture in: renames, by the one process that does it
    scheduled: float  # a task that does nothing: of Dask's scheduler and the client, which one process runs
    known_wall: float  # a capture that is in the dataset already
    small_packets: float  # of a small capture, mean
    small_flows: float
    bytes_capture: float  # in the dataset, a capture without flows
    bytes_flow: float  # in the dataset, each flow more
    held: tuple[int, int, float, float, float]  # a real batch: captures, workers, GB each, seconds wall, processor

    @property
    def serial(self) -> float:
        """Seconds per capture that no worker takes away: scheduler and the putting in."""
        return self.put_wall + self.scheduled

    def seconds(self, size_gb: float) -> float:
        """Processor seconds of a capture."""
        return self.capture + self.gb * size_gb


@contextlib.contextmanager
def measured(into: list[tuple[float, float]]) -> Iterator[None]:
    """Note (processor seconds of this process, wall seconds) of the block."""
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    yield
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
    into.append((after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall))


def median(times: list[tuple[float, float]], which: int) -> float:
    return statistics.median(each[which] for each in times)


def job(path: Path, staging: Path) -> str:
    size = path.stat().st_size
    return Job(str(path), path.name, size, str(staging), Settings().text(), (), program(), True).text()


def worker_start(rounds: int) -> float:
    """Wall seconds from starting a worker process to its being ready."""
    from classifier.batch.pool import _BOOT

    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-c", _BOOT, json.dumps(sys.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            times.append(time.perf_counter() - start)
            process.kill()
    return statistics.median(times)


def first_capture(path: Path, staging: Path) -> float:
    """Processor seconds of the first capture of a process, kernels being cached on disk."""
    code = (
        "import json, resource, sys; sys.path[:] = json.loads(sys.argv[1])\n"
        "from classifier.batch.task import work\n"
        "def used():\n    u = resource.getrusage(resource.RUSAGE_SELF)\n    return u.ru_utime + u.ru_stime\n"
        "before = used()\nwork(sys.argv[2])\nprint(used() - before)"
    )
    words = [sys.executable, "-c", code, json.dumps(sys.path), job(path, staging)]
    subprocess.run(words, check=True, capture_output=True)  # the very first one may have to compile
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def scheduler_overhead(paths: list[Path], staging: Path) -> float:
    """Processor seconds of scheduler and client per task that does nothing, with arguments as ours."""
    from distributed import Client, LocalCluster, as_completed

    texts = [job(paths[number % len(paths)], staging) for number in range(TASKS)]
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.submit(len, "", pure=False).result()
        times: list[tuple[float, float]] = []
        with measured(times):
            for future in as_completed(client.map(len, texts, pure=False)):
                future.result()
        return times[0][0] / TASKS


def big_capture() -> Path:
    """About half a GB of video."""
    path = generate.DATA / "scale.pcap"
    if not path.exists():
        generate.generate("video", path, packets=BIG_PACKETS, flows=300, size=1200, seed=1)
    return path


def measure(rounds: int) -> Costs:
    """All costs."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        make_many(place / "captures", SMALL // 3, 3)
        small = sorted(place.glob("captures/*/trace*.pcap"))
        with Dataset(place / "dataset", str(place)) as into:
            first = first_capture(small[0], into.staging)
            work(job(small[0], into.staging))
            for_small: list[tuple[float, float]] = []
            staged = []
            for path in small:
                with measured(for_small):
                    staged.append(Answer.of(work(job(path, into.staging))))
            puts: list[tuple[float, float]] = []
            for answer in staged:
                with measured(puts):
                    into.put(Path(answer.staged), answer.capture_id, ())
            sizes = {answer.capture_id: size_of(into, answer.capture_id) for answer in staged}
            rows = into.rows(("flows", "packets"))
            flows = {row["capture_id"]: row["flows"] for row in rows}
            slope, base = statistics.linear_regression([flows[i] for i in sizes], list(sizes.values()))

            big = big_capture()
            gb = big.stat().st_size / GB
            for_big: list[tuple[float, float]] = []
            hashing: list[tuple[float, float]] = []
            big.read_bytes()  # into the page cache
            for _ in range(rounds):
                with measured(for_big):
                    work(job(big, into.staging))
                file = HashedFile(str(big))
                with measured(hashing):
                    file.sha256()
                file.close()
            overhead = scheduler_overhead(small, into.staging)
        time.sleep(2.1)  # a file's times tell something only then
        classify(place / "captures", place / "again", workers=1)
        start = time.perf_counter()
        assert classify(place / "captures", place / "again", workers=1).done == 0
        known = (time.perf_counter() - start) / len(small)
        held = real_batch(big, place, os.cpu_count() or 1)
    return Costs(
        start_wall=worker_start(rounds),
        first=first,
        capture=median(for_small, 0),
        gb=median(for_big, 0) / gb,
        gb_sha=median(hashing, 0) / gb,
        gb_wall=median(for_big, 1) / gb,
        put_wall=median(puts, 1),
        scheduled=overhead,
        known_wall=known,
        small_packets=statistics.mean(row["packets"] for row in rows),
        small_flows=statistics.mean(flows.values()),
        bytes_capture=base,
        bytes_flow=slope,
        held=held,
    )


def real_batch(big: Path, place: Path, workers: int) -> tuple[int, int, float, float, float]:
    """A batch of large captures on this machine: one file under several names, so that it stays in the page cache."""
    count = 4 * workers
    (place / "large").mkdir()
    for number in range(count):
        (place / "large" / f"{number}.pcap").symlink_to(big)
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    assert classify(place / "large", place / "held", workers=workers).done == count
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return count, workers, big.stat().st_size / GB, wall, processor


def size_of(dataset: Dataset, capture_id: str) -> int:
    """Bytes of a capture in the dataset."""
    return sum(dataset.path(table, capture_id).stat().st_size for table in DATASET)


def span(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def needed(costs: Costs, workers: int, store: float) -> tuple[float, str]:
    """Wall seconds of the whole batch, and what limits it."""
    parts = {
        "processors": -(-CAPTURES // workers) * costs.seconds(SIZE_GB) + costs.start_wall + costs.first,
        "storage": CAPTURES * SIZE_GB / store,
        "scheduler": CAPTURES * costs.serial,
    }
    limit = max(parts, key=lambda name: parts[name])
    return parts[limit], limit


def page(costs: Costs, rounds: int, load: float) -> str:
    """What is written down."""
    machine = run.machine()
    small = f"{costs.small_packets:.0f} packets, {costs.small_flows:.0f} flows on the average"
    rows = [
        ("start of a worker process", f"{costs.start_wall:.2f} s wall", "t0"),
        ("the first capture of a process, with loading compiled kernels", f"{costs.first:.2f} s", "t1"),
        (f"a small capture ({small})", f"{costs.capture * 1000:.0f} ms", "c"),
        ("a GB of video in the page cache", f"{costs.gb:.2f} s ({costs.gb_wall:.2f} s wall)", "g"),
        ("of it the SHA-256", f"{costs.gb_sha:.2f} s", ""),
        ("putting a capture into the dataset (nine renamings)", f"{costs.put_wall * 1000:.2f} ms wall", "p"),
        ("a task through Dask's scheduler", f"{costs.scheduled * 1000:.2f} ms", "s"),
        ("a capture that is in the dataset already", f"{costs.known_wall * 1000:.2f} ms wall", ""),
        ("a capture's nine files", f"{costs.bytes_capture / 1000:.0f} kB and {costs.bytes_flow:.0f} bytes a flow", "r"),
    ]
    head = (
        f"`python benchmarks/scale.py --publish` wrote this page on {dt.date.today():%Y-%m-%d}: "
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_mib'] / 1024:.0f} GiB memory, "
        f"{machine['system']}, python {machine['versions']['python']}, load average {load:.2f} before. Medians of "
        f"{rounds} rounds, of small captures {SMALL}. Seconds are of processor time, user and system together, unless "
        "they are called wall: other programs ran at the same time."
    )
    model = (
        "Captures do not wait for each other, and a worker is a core with memory of its own; so the batch takes the "
        "longest of three times, for N captures of S GB on W workers:"
    )
    each = costs.seconds(SIZE_GB)
    work_ = (
        f"A capture is {each:.2f} s of processor time, all of them {span(CAPTURES * each)}. Reading alone must move "
        f"{CAPTURES * SIZE_GB / 1000:,.0f} TB."
    )
    parts = [
        "# Many captures: what they cost, and where the limit lies",
        wrapped(head),
        "## Measured",
        table(("what", "cost", "called"), rows),
        f"## Calculated: {CAPTURES:,} captures of {SIZE_GB:g} GB",
        wrapped(model),
        "```text\n"
        "processors   t0 + t1 + ceil(N / W) * (c + g * S)\n"
        "storage      N * S / B          B: GB/s that all workers together can read (assumed, below)\n"
        "scheduler    N * (s + p)        one scheduler, one process that puts captures in\n"
        "```",
        wrapped(work_),
        table(
            ("storage reads", *(f"{w} worker{'' if w == 1 else 's'}" for w in WORKERS), "full at"),
            [store_row(costs, name, store) for name, store in STORES],
        ),
        wrapped(held_against(costs)),
        "\n".join(wrapped(point, "* ") for point in limits(costs)),
    ]
    return "\n\n".join(parts) + "\n"


def wrapped(text: str, bullet: str = "") -> str:
    """A paragraph in lines."""
    return textwrap.fill(
        bullet + text, 120, subsequent_indent=" " * len(bullet), break_long_words=False, break_on_hyphens=False
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows))


def store_row(costs: Costs, name: str, store: float) -> list[str]:
    """What the batch needs with one kind of storage."""
    cells = []
    for workers in WORKERS:
        seconds, limit = needed(costs, workers, store)
        cells.append(f"{span(seconds)} ({limit})")
    full = store * costs.seconds(SIZE_GB) / SIZE_GB
    return [f"{name}, {store:g} GB/s", *cells, f"{full:.0f} workers" if full >= 1.5 else "1 worker"]


def held_against(costs: Costs) -> str:
    """The calculation beside a real batch."""
    count, workers, size, wall, processor = costs.held
    said = workers * costs.first + count * costs.seconds(size)
    return (
        f"Held against a real batch here: {count} captures of {size:.2f} GB from the page cache on {workers} workers "
        f"took {processor:.1f} s of processor time ({wall:.1f} s wall, with whatever else the machine did); the "
        f"calculation says {said:.1f} s."
    )


def limits(costs: Costs) -> list[str]:
    """Where the limit lies."""
    each = costs.seconds(SIZE_GB)
    rate = SIZE_GB / each
    result = CAPTURES * (costs.bytes_capture + costs.bytes_flow * FLOWS)
    small = costs.capture / costs.serial
    return [
        f"**Storage** is the limit nearly everywhere: a worker takes {rate:.2f} GB/s, so B / {rate:.2f} workers read "
        "all that storage gives (last column), and more of them only wait. Captures that lie on the workers' own "
        "disks, a part on each, have no such limit.",
        "**The network** is storage in this table, when workers read over it. Results are nothing beside that: "
        f"{result / GB:,.1f} GB for all captures with {FLOWS:,} flows each, "
        f"{result / (CAPTURES * SIZE_GB * GB) * 100:.2f} % of what is read. They do not go through the scheduler; jobs "
        "and answers, which do, are about 1 kB each.",
        f"**The scheduler** and the one process that puts captures in take {costs.serial * 1000:.1f} ms per capture, "
        f"{span(CAPTURES * costs.serial)} for all. With captures of {SIZE_GB:g} GB that is the limit from "
        f"{each / costs.serial:,.0f} workers on, with small ones ({costs.capture * 1000:.0f} ms) from {small:.0f} on: "
        "a cluster is for large captures.",
        f"**SHA-256** is {costs.gb_sha / costs.gb * 100:.0f} % of the processor time of a GB. It is taken while the "
        "capture is read, by the thread that reads. It tells a later run what has changed, and from which file a "
        "result is.",
        f"**Going on** after a stop: {span(CAPTURES * costs.known_wall)} until {CAPTURES:,} captures that are done are "
        "known to be.",
        "**Memory** is per worker (docs/robustness.md): as many workers as fit, not more.",
        "Not in the calculation: workers that share a core's units or a memory bus, storage that is slower for many "
        "readers at once, captures of very different size (the largest are handed out first, so the end is ragged by "
        "one capture at most).",
    ]


def main(arguments: list[str] | None = None, measure_: Callable[[int], Costs] = measure) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--publish", action="store_true")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    text = page(measure_(given.rounds), given.rounds, load)
    if given.publish:
        (HERE / "scale.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
