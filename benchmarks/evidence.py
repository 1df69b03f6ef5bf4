"""What payload evidence costs: the pass over a capture with the sniffer, and with it left out, in turns.

`python benchmarks/evidence.py CAPTURE... [--runs N]`. Both passes run in one process, compiled, over a page-cached
file; without the sniffer no payload is looked at, except SSRP, IGMP and MLD. Prints medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from classifier import engine
from classifier.jit import speed
from classifier.matching import load_signatures


def one_pass(path: str, evidence: bool) -> float:
    """Seconds of one pass."""
    kernels = speed(True)
    sniff: Any = kernels.sniff_batch
    signatures = load_signatures()
    try:
        if not evidence:
            kernels.sniff_batch = lambda buffer, packets, n: packets["hint"].fill(0)
        start = time.perf_counter()
        engine.read(path, signatures=signatures, compiled=True)
        return time.perf_counter() - start
    finally:
        kernels.sniff_batch = sniff


def main() -> None:
    """Print one line per capture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    for path in options.captures:
        one_pass(path, True)
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(options.runs):
            for evidence in (True, False):
                times[evidence].append(one_pass(path, evidence))
        on, off = statistics.median(times[True]), statistics.median(times[False])
        print(f"{path}: with {on:.3f} s, without {off:.3f} s, ratio {on / off:.2f}")


if __name__ == "__main__":
    main()
