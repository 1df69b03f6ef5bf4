"""What payload evidence, and what following streams costs: passes over a capture with and without, in turns.

`python benchmarks/evidence.py CAPTURE... [--runs N]`. All passes run in one process, compiled, over a page-cached
file. `plain`: without the sniffer: no payload is looked at, except SSRP, IGMP, MLD and ICMP; `evidence`: with it
(`--fast`); `followed`: with the quality of media streams and TCP connections too. Prints medians and ratios.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from classifier import engine
from classifier.jit import speed
from classifier.limits import Limits
from classifier.matching import load_signatures

PLAIN, EVIDENCE, FOLLOWED = "plain", "evidence", "followed"


def one_pass(path: str, what: str) -> float:
    """Seconds of one pass."""
    kernels = speed(True)
    sniff: Any = kernels.sniff_batch
    signatures = load_signatures()
    try:
        if what == PLAIN:
            kernels.sniff_batch = lambda buffer, packets, n: packets["hint"].fill(0)
        start = time.perf_counter()
        engine.read(path, signatures=signatures, compiled=True, limits=Limits(follow=what == FOLLOWED))
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
        one_pass(path, FOLLOWED)
        times: dict[str, list[float]] = {PLAIN: [], EVIDENCE: [], FOLLOWED: []}
        for _ in range(options.runs):
            for what, seen in times.items():
                seen.append(one_pass(path, what))
        plain, evidence, followed = (statistics.median(seen) for seen in times.values())
        print(
            f"{path}: plain {plain:.3f} s, with evidence {evidence:.3f} s ({evidence / plain:.2f} times), "
            f"followed {followed:.3f} s ({followed / evidence:.2f} times that)"
        )


if __name__ == "__main__":
    main()
