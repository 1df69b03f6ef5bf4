#!/usr/bin/env python3
"""What one more gigabyte costs: `python benchmarks/marginal.py [--times 6] [--runs 5]`.

Two captures of `generate.py video`, one of 1,000,000 packets and one of so many times as many, both in the page cache.
Every program reads both, in turns; the difference of its medians, by the difference of the file lengths, is its cost of
a gigabyte, start-up apart. Also the highest private memory (anonymous pages) of `classify` for both files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402

PACKETS = 1_000_000


def commands(path: str) -> dict[str, list[str]]:
    """What is measured, on one file."""
    classify = [sys.executable, "-m", "classifier", path, "--quiet", "--format", "json", "-o", os.devnull]
    found = {"classify": classify, "cat, piped to wc -c": ["sh", "-c", 'cat "$0" | wc -c > /dev/null', path]}
    if shutil.which("ndpiReader"):
        found["ndpiReader"] = ["ndpiReader", "-q", "-i", path]
    return found


def private_kib(command: list[str]) -> int:
    """Highest anonymous memory of a process, looked at every 5 ms."""
    highest = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            try:
                lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            except OSError:
                break
            highest = max([highest, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
            time.sleep(0.005)
    return highest


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=6)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the captures are made (default: a temporary one)")
    options = parser.parse_args()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        paths = []
        for number, packets in enumerate((PACKETS, options.times * PACKETS)):
            paths.append(Path(folder) / f"{number}.pcap")
            generate.generate("video", paths[-1], packets=packets, flows=300, size=1200, seed=1)
        sizes = [path.stat().st_size for path in paths]
        times: dict[tuple[str, int], list[float]] = {}
        for _ in range(options.runs):
            for number, path in enumerate(paths):
                for name, command in commands(str(path)).items():
                    start = time.perf_counter()
                    subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
                    times.setdefault((name, number), []).append(time.perf_counter() - start)
        memory = [private_kib(commands(str(path))["classify"]) for path in paths]
    middle = {key: statistics.median(values) for key, values in times.items()}
    more = (sizes[1] - sizes[0]) / 1e9
    print(f"| program | {sizes[0] / 1e9:.2f} GB, s | {sizes[1] / 1e9:.2f} GB, s | a GB more, s | ratio to cat |")
    print("|---|---:|---:|---:|---:|")
    cost = {name: (middle[name, 1] - middle[name, 0]) / more for name, number in middle if number == 0}
    for name, value in cost.items():
        ratio = value / cost["cat, piped to wc -c"]
        print(f"| {name} | {middle[name, 0]:.2f} | {middle[name, 1]:.2f} | {value:.3f} | {ratio:.2f} |")
    print(f"\nHighest private memory of classify: {memory[0] / 1024:.0f} MiB and {memory[1] / 1024:.0f} MiB.")


if __name__ == "__main__":
    main()
