#!/usr/bin/env python3
"""Measure what `classify` takes before and besides reading packets, beside what it is compared with.

    python benchmarks/start.py                          # small captures
    python benchmarks/start.py --video benchmarks/data/video.pcap

In: nothing, or a large capture. Out: a Markdown table. All commands take turns, so that a busy moment of the machine
hits all of them; medians, of the time on the clock and of the processor's (user and system, of all processes). Only
ratios mean something. Byte code is written beforehand, as installing does. A *first run* has an empty kernel cache.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import generate  # noqa: E402

SMALL_PACKETS = 1000
MACHINE = ("numpy", "numba", "llvmlite")


@dataclass
class Timed:
    """A command, what it is compared with, and what that comparison should stay under."""

    name: str
    command: list[str]
    against: str = ""
    factor: float = 0.0
    plus_s: float = 0.0
    first: bool = False  # an empty kernel cache
    most: int = 1000  # rounds
    clock: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self, environment: dict[str, str]) -> None:
        """Once."""
        if len(self.clock) >= self.most:
            return
        with tempfile.TemporaryDirectory() as empty:
            if self.first:
                environment = environment | {"CLASSIFIER_CACHE_DIR": empty}
            start = time.perf_counter()
            process = subprocess.Popen(
                self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, cwd=HERE.parent
            )
            _, status, used = os.wait4(process.pid, 0)
            self.clock.append(time.perf_counter() - start)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(self.command)}: exit code {process.returncode}")
        self.processor.append(used.ru_utime + used.ru_stime)

    def row(self, others: dict[str, Timed]) -> str:
        """Its row of the table."""
        clock, processor = statistics.median(self.clock), statistics.median(self.processor)
        cells = [self.name, f"{clock:.3f}", f"{processor:.3f}", str(len(self.clock)), "", "", ""]
        other = others.get(self.against)
        if other is not None:
            cells[4] = f"{clock / statistics.median(other.clock):.2f}"
            cells[5] = f"{processor / statistics.median(other.processor):.2f}"
            cells[6] = f"{self.factor:g} x {other.name}" + (f" + {self.plus_s:g} s" if self.plus_s else "")
        return f"| {' | '.join(cells)} |"


def commands(small: Path, video: Path | None) -> list[Timed]:
    """What is measured."""
    python, classify = [sys.executable], [sys.executable, "-m", "classifier"]
    timed = [
        Timed("python -c pass", [*python, "-c", "pass"]),
        Timed("classify --help", [*classify, "--help"], "python -c pass", 3, 0.1),
    ]
    tshark = shutil.which("tshark")
    if tshark:
        timed.append(Timed("tshark", [tshark, "-r", str(small), "-q", "-z", "conv,ip"]))
    timed.append(Timed("classify SMALL", [*classify, str(small)], "tshark", 1.5))
    timed.append(Timed("classify SMALL, first run", [*classify, str(small)], "tshark", 1.5, first=True))
    if video is not None:
        timed.append(Timed("cat VIDEO, piped to wc -c", ["sh", "-c", f"cat '{video}' | wc -c"]))
        timed.append(Timed("classify VIDEO", [*classify, str(video)], "cat VIDEO, piped to wc -c", 1.5))
        timed.append(Timed("classify VIDEO, first run", [*classify, str(video)], first=True, most=3))
    return timed


def processor() -> str:
    """Its name, and how many of them."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{os.cpu_count()} x {name}"


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path, help="a large capture, in the page cache")
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args(arguments)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    compileall.compile_dir(HERE.parent / "classifier", quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.pcap"
        generate.generate_sites(small, packets=SMALL_PACKETS, seed=1)
        environment["CLASSIFIER_CACHE_DIR"] = str(Path(folder) / "cache")
        fill = "from classifier import machine; assert machine.entries()"
        subprocess.run([sys.executable, "-c", fill], env=environment, cwd=HERE.parent, check=True)
        timed = commands(small, options.video)
        before = os.getloadavg()[0]
        for _ in range(options.rounds):
            for each in timed:
                each.run(environment)
    versions = ", ".join(f"{name} {version(name)}" for name in MACHINE)
    print(f"SMALL: {SMALL_PACKETS:,} packets of generated sites. {processor()}, Python {platform.python_version()}, ")
    print(f"{versions}; load average {before:.1f} before, {os.getloadavg()[0]:.1f} after.\n")
    print("| command | clock s | processor s | runs | ratio, clock | ratio, processor | to stay under |")
    print("|---|---:|---:|---:|---:|---:|---|")
    others = {each.name: each for each in timed}
    for each in timed:
        print(each.row(others))
    return 0


if __name__ == "__main__":
    sys.exit(main())
