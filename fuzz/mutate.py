#!/usr/bin/env python3
"""Push mutated captures through the compiled library and count what happens.

    python fuzz/mutate.py --inputs 20000 --corpus captures --workers 1
    python fuzz/mutate.py --inputs 5000 --scenes --largest 65536 --report-every 1     the faults that rules find

In: a folder of captures (`CLASSIFIER_CORPUS` by default), a seed. Out: one JSON line with the counts; for every
crash, hang, wrong sum and memory excess a reproducer file in --findings; exit code 1 when there was any.

Inputs run in worker processes, many per process. The parent watches which input a worker is at (shared memory): a
worker that uses more than --limit seconds of processor time for one (or six times that on the clock) is killed and
counts as a hang, one that dies is a crash, one whose resident memory passes --memory is an excess. Input number N of
a seed is always the same bytes, for the same corpus.
"""

from __future__ import annotations

import argparse
import faulthandler
import io
import json
import mmap
import multiprocessing
import os
import signal
import struct
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.findings import check_findings, scene_seeds
from fuzz.mutations import LARGEST, mutant

MIB = 1 << 20
STEP = 2000
"""Inputs that one worker takes in one go."""
REPORT_EVERY = 20
"""Every so many inputs the report is built, examined and rendered in all forms; the others end at the flow table."""
WAITING = 6
"""A worker that takes this many times --limit on the clock hangs too, although it uses no processor time."""
_CELL = struct.Struct("<qdd")  # number of the input a worker is at (-1: none), when it began: clock, processor time


class WrongSum(Exception):
    """What was counted in one place is not what was counted in another."""


def seeds_of(folder: Path, largest: int = LARGEST) -> list[bytes]:
    """The files below a folder that are captures, cut to `largest` bytes, in a fixed order."""
    from classifier.capture import is_capture

    found = []
    for path in sorted(folder.rglob("*")):
        if path.is_file() and is_capture(str(path)):
            with path.open("rb") as file:
                found.append(file.read(largest))
    return found


def check_sums(result: Any) -> None:
    """Every record lands in one flow or link row: raises WrongSum otherwise."""
    flows, links = result.flows, result.links
    counted = int(flows.orig_packets.sum() + flows.resp_packets.sum()) + int(links.packets.sum())
    wire = int(flows.orig_wire.sum() + flows.resp_wire.sum()) + int(links.wire.sum())
    packets = sum(info.packets for info in result.captures)
    wire_bytes = sum(info.wire_bytes for info in result.captures)
    if (counted, wire) != (packets, wire_bytes):
        raise WrongSum(f"rows hold {counted} packets, {wire} bytes; read were {packets} packets, {wire_bytes} bytes")
    binned = int(result.bins["packets"].sum()), int(result.bins["a_wire"].sum() + result.bins["b_wire"].sum())
    if binned != (packets, wire_bytes):
        raise WrongSum(f"time bins hold {binned}; read were {packets} packets, {wire_bytes} bytes")


def check_report(report: Any) -> int:
    """Rows of the report sum to its totals, no rule of findings breaks, and every form of output can be made; how many
    findings there are."""
    from classifier.columns import TABLES
    from classifier.render import csv, text
    from classifier.render import json as as_json

    rows, totals = report.rows("components"), report.totals
    for measure in ("packets", "wire_bytes", "flows"):
        have = sum(row[measure] for row in rows)
        if have != totals[measure]:
            raise WrongSum(f"component rows hold {have} {measure}, totals say {totals[measure]}")
    if totals["packets"] != sum(info.packets for info in report.captures):
        raise WrongSum("totals and captures differ in packets")
    fired = check_findings(report)
    json.loads(as_json.render(report, ("flows", "timeline", "quality")))
    for section in TABLES:
        csv.render(report, section)
    for shown in (text.render(report, ()), text.render(report, tuple(TABLES))):
        bad = [c for c in shown if c != "\n" and (ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0)]
        if bad:
            raise WrongSum(f"control characters in the text: {bad[:5]}")
    return fired


def run_one(data: bytes, whole_report: bool, compiled: bool, signatures: Any) -> tuple[str, ...]:
    """One input through the library; which counters it raises. Lets out every exception but CaptureError."""
    from classifier import engine
    from classifier.errors import CaptureError
    from classifier.matching import attribute
    from classifier.report import Report

    try:
        result = engine.read(io.BytesIO(data), signatures=signatures, compiled=compiled)
    except CaptureError as error:
        if "\n" in str(error):
            raise WrongSum("an error message of two lines") from error
        return ("refused",)
    check_sums(result)
    kinds = ["captures", "complete" if all(info.complete for info in result.captures) else "damaged"]
    if whole_report:
        labels = attribute(result.flows, result.links, signatures, result.learned)
        kinds += ["reports", *["findings"] * check_report(Report(result, signatures, labels))]
    return tuple(kinds)


def _work(options: argparse.Namespace, seeds: list[bytes], first: int, last: int, cell: Any, back: Any) -> None:
    """A worker process: inputs first..last-1. Failures go back as they happen, counts at the end."""
    import resource

    from classifier.matching import load_signatures

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    faulthandler.register(signal.SIGUSR1)
    signatures = load_signatures()
    compiled = not options.interpreted
    for sample in seeds[:1]:
        run_one(sample, True, compiled, signatures)  # imports and compiled kernels are loaded before the clock runs
    counts: Counter[str] = Counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    longest, longest_number, excess = 0.0, first, False
    for number in range(first, last):
        data = mutant(options.seed, number, seeds, options.largest)
        begun = time.monotonic()
        cell[:] = _CELL.pack(number, begun, time.process_time())
        if options.fault == f"hang:{number}":
            while True:
                pass
        if options.fault == f"crash:{number}":
            os.abort()
        try:
            counts.update(run_one(data, number % options.report_every == 0, compiled, signatures))
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            back.send(("failed", number, f"{type(error).__name__} at {place}: {error}"))
        taken = time.monotonic() - begun
        if taken > longest:
            longest, longest_number = taken, number
        now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if now > options.memory * MIB and not excess:
            excess = True  # the peak only grows: the first one past the cap is to blame
            back.send(("memory", number, f"{now // MIB} MiB resident"))
        peak = max(peak, now)
        counts["inputs"] += 1
        counts["bytes"] += len(data)
    cell[:] = _CELL.pack(-1, 0.0, 0.0)
    back.send(("done", longest_number, (counts, longest, peak)))
    back.close()


class Driver:
    """Hands ranges of inputs to workers, and watches them."""

    def __init__(self, options: argparse.Namespace, seeds: list[bytes]) -> None:
        self.options, self.seeds = options, seeds
        self.counts: Counter[str] = Counter()
        self.failures: list[dict[str, Any]] = []
        self.longest, self.longest_number, self.peak = 0.0, 0, 0
        self.ranges = [
            (at, min(at + STEP, options.first + options.inputs))
            for at in range(options.first, options.first + options.inputs, STEP)
        ][::-1]

    def run(self) -> None:
        """Until every range is done or --seconds are over."""
        context = multiprocessing.get_context("spawn")
        end = time.monotonic() + self.options.seconds if self.options.seconds else None
        running: list[dict[str, Any]] = []
        while self.ranges or running:
            while self.ranges and len(running) < self.options.workers and (end is None or time.monotonic() < end):
                running.append(self._start(context, *self.ranges.pop()))
            if end is not None and time.monotonic() >= end:
                self.ranges.clear()
            for worker in list(running):
                if not self._look(worker):
                    running.remove(worker)
            time.sleep(0.02)

    def _start(self, context: Any, first: int, last: int) -> dict[str, Any]:
        # a file, since anonymous memory does not pass to a spawned process
        shared = self.options.findings / f".cell-{os.getpid()}-{first}"
        shared.write_bytes(_CELL.pack(-1, 0.0, 0.0))
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_entry, args=(self.options, self.seeds, first, last, str(shared), there))
        process.start()
        there.close()
        file = shared.open("r+b")
        return {
            "process": process, "pipe": here, "first": first, "last": last, "path": shared, "file": file,
            "cell": mmap.mmap(file.fileno(), _CELL.size), "done": False,
        }  # fmt: skip

    def _look(self, worker: dict[str, Any]) -> bool:
        """Take what a worker said; False when it has ended."""
        process, pipe = worker["process"], worker["pipe"]
        alive = process.is_alive()
        try:
            while pipe.poll():
                kind, number, what = pipe.recv()
                if kind == "done":
                    counts, longest, peak = what
                    self.counts.update(counts)
                    if longest > self.longest:
                        self.longest, self.longest_number = longest, number
                    self.peak = max(self.peak, peak)
                    worker["done"] = True
                else:
                    self._fail(kind, number, what)
        except EOFError:
            pass
        at, begun, used = _CELL.unpack_from(worker["cell"], 0)
        if alive:
            stuck = self._hangs(process.pid, time.monotonic() - begun, used) if at >= 0 else ""
            if stuck:
                time.sleep(0.1)  # the cell may have been read while it was written: only what stays is true
            if stuck and _CELL.unpack_from(worker["cell"], 0) == (at, begun, used):
                os.kill(process.pid, signal.SIGUSR1)  # it writes where it is
                process.join(0.5)
                process.kill()
                process.join()
                self._fail("hang", at, stuck)
                self._after(worker, at)
                return self._close(worker)
            return True
        process.join()
        if not worker["done"]:
            if at < 0:
                raise SystemExit(f"a worker ended (code {process.exitcode}) before its first input")
            self._fail("crash", at, f"the process ended with code {process.exitcode}")
            self._after(worker, at)
        return self._close(worker)

    def _hangs(self, pid: int, waited: float, used: float) -> str:
        """How a worker spent more than the limit on one input, "" if not; on a busy machine the clock alone lies."""
        limit = self.options.limit
        if waited <= limit:
            return ""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # no Linux
            return f"{waited:.0f} s on the clock"
        now = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if now - used > limit or waited > WAITING * limit:
            return f"{now - used:.1f} s of processor time, {waited:.0f} s on the clock"
        return ""

    def _after(self, worker: dict[str, Any], at: int) -> None:
        """The rest of a killed worker's range; what it had done counts as inputs only."""
        self.counts["inputs"] += at + 1 - worker["first"]
        if at + 1 < worker["last"]:
            self.ranges.append((at + 1, worker["last"]))

    def _close(self, worker: dict[str, Any]) -> bool:
        worker["cell"].close()
        worker["file"].close()
        worker["path"].unlink()
        return False

    def _fail(self, kind: str, number: int, what: str) -> None:
        path = self.options.findings / f"{kind}-{self.options.seed}-{number}.bin"
        if len(self.failures) < 200:
            path.write_bytes(mutant(self.options.seed, number, self.seeds, self.options.largest))
        self.failures.append({"kind": kind, "number": number, "what": what, "file": path.name})
        self.counts[kind] += 1
        print(f"{kind} {number}: {what}", file=sys.stderr, flush=True)


def _entry(options: argparse.Namespace, seeds: list[bytes], first: int, last: int, cell: str, back: Any) -> None:
    with Path(cell).open("r+b") as file, mmap.mmap(file.fileno(), _CELL.size) as shared:
        _work(options, seeds, first, last, shared, back)


def main(argv: list[str] | None = None) -> int:
    """Run; 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="how many mutated files (%(default)s)")
    parser.add_argument("--corpus", type=Path, default=os.environ.get("CLASSIFIER_CORPUS") or "captures")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first input, to go on after a run")
    parser.add_argument("--seconds", type=float, default=0.0, help="start no more after so long (0: no end)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--limit", type=float, default=10.0, help="seconds for one input, then it is a hang")
    parser.add_argument("--memory", type=int, default=1024, help="MiB that a worker may have resident")
    parser.add_argument("--largest", type=int, default=LARGEST, help="bytes of a file that are mutated")
    parser.add_argument("--scenes", action="store_true", help="mutate the captures of findings' tests, not a folder's")
    parser.add_argument("--report-every", type=int, default=REPORT_EVERY, help="inputs, of one the whole report")
    parser.add_argument("--interpreted", action="store_true", help="kernels not compiled: every bound is checked")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder for reproducers")
    parser.add_argument("--fault", default="", help=argparse.SUPPRESS)  # crash:N, hang:N: does the driver notice?
    options = parser.parse_args(argv)
    options.findings.mkdir(parents=True, exist_ok=True)
    seeds = scene_seeds(options.largest) if options.scenes else seeds_of(Path(options.corpus), options.largest)
    if not seeds:
        parser.error(f"{options.corpus}: no captures there")
    driver = Driver(options, seeds)
    begun = time.monotonic()
    driver.run()
    summary = {
        "seed": options.seed,
        "first": options.first,
        "seeds": len(seeds),
        **dict(sorted(driver.counts.items())),
        "failures": len(driver.failures),
        "seconds": round(time.monotonic() - begun, 1),
        "longest_s": round(driver.longest, 3),
        "longest_number": driver.longest_number,
        "peak_mib": driver.peak // MIB,
    }
    print(json.dumps(summary))
    if driver.counts["inputs"] == 0:
        print("nothing was tried", file=sys.stderr)
        return 2
    return 1 if driver.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
