#!/usr/bin/env python3
"""Time and memory against the number of flows, from 10^3 to 10^7: `python benchmarks/curve.py [--most FLOWS]`.

Per step a capture of small packets in a temporary folder (`generate.py small`): as many flows as the step says, ten
packets each, at least 1,000,000 and at most 20,000,000 packets, and two packets each at 10^7. Every step is a fresh
process: `classify FILE --format json`, all features on. Prints packets per second, and memory per flow: the highest
resident size less that of the smallest step, by the flows. Steps beyond `--max-flows` use that option.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402

LEAST_PACKETS, MOST_PACKETS = 1_000_000, 20_000_000
CAP = 4_000_000  # classify's default for --max-flows


def measure(path: Path, flows: int) -> tuple[float, int]:
    """(seconds, highest resident KiB) of one run."""
    words = [sys.executable, "-m", "classifier", str(path), "--quiet", "--format", "json", "-o", os.devnull]
    if flows > CAP:
        words += ["--max-flows", str(2 * flows)]
    start = time.perf_counter()
    process = subprocess.Popen(words)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{words}: exit {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss


def main() -> None:
    """Print one row per step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--most", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    print("| flows | packets | median s | packets/s | MiB | bytes a flow |\n|---:|---:|---:|---:|---:|---:|")
    base = 0
    flows = 1000
    while flows <= options.most:
        packets = min(max(10 * flows, LEAST_PACKETS), MOST_PACKETS)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "flows.pcap"
            generate.generate("small", path, packets=packets, flows=flows, size=80, seed=1)
            path.read_bytes()  # into the page cache
            runs = sorted(measure(path, flows) for _ in range(options.runs))
        seconds, resident = runs[len(runs) // 2][0], max(kib for _, kib in runs)
        base = base or resident
        each = f"{(resident - base) * 1024 / flows:.0f}" if flows > 10_000 else ""
        print(
            f"| {flows:,} | {packets:,} | {seconds:.2f} | {packets / seconds:,.0f} | {resident / 1024:.0f} | {each} |",
            flush=True,
        )
        flows *= 10


if __name__ == "__main__":
    main()
