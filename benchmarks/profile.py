#!/usr/bin/env python3
"""Where the time of a pass goes, per packet: `python benchmarks/profile.py CAPTURE... [--runs N]`.

Every compiled kernel is timed where Python calls it (about 60 calls a batch of 4,096 packets, so the clock itself costs
little); what no kernel takes is Python and reading. One process, page-cached file, the medians of the runs. What of the
flow kernel is for following streams and connections is the difference to passes without it (`Limits(follow=False)`), in
turns. Prints nanoseconds a packet, and the sizes of the rows that a packet touches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict
from typing import Any

from classifier import engine
from classifier.columns import FLOW, PACKET, RECORD
from classifier.flows import state, stream_table
from classifier.jit import speed
from classifier.limits import Limits
from classifier.matching import load_signatures

STAGES = {
    "walk_pcap": "find records",
    "walk_pcapng": "find records",
    "decode_batch": "decode",
    "sniff_batch": "sniff payloads",
    "tally_batch": "flows, time bins",
    "look_at_rows": "copies, clock",
    "hash_heads": "copies, clock",
    "count_copies": "copies, clock",
    "keep_last": "copies, clock",
}
FOLLOWING = "streams, connections"
REST = "reading, Python"


def one_pass(path: str, follow: bool, signatures: Any) -> tuple[dict[str, float], float, int]:
    """(seconds by stage, seconds in all, packets) of one pass."""
    kernels = speed(True)
    spent: dict[str, float] = defaultdict(float)
    kept: dict[str, Any] = {}

    def timed(name: str, kernel: Any) -> Any:
        stage = STAGES.get(name, "other kernels")

        def call(*values: Any) -> Any:
            start = time.perf_counter()
            try:
                return kernel(*values)
            finally:
                spent[stage] += time.perf_counter() - start

        return call

    from classifier.kernels import ENTRIES

    try:
        for name in ENTRIES:
            kept[name] = getattr(kernels, name)
            setattr(kernels, name, timed(name, kept[name]))
        start = time.perf_counter()
        result = engine.read(path, signatures=signatures, compiled=True, limits=Limits(follow=follow))
        whole = time.perf_counter() - start
    finally:
        for name, kernel in kept.items():
            setattr(kernels, name, kernel)
    return spent, whole, sum(info.packets for info in result.captures)


def main() -> None:
    """Print one table per capture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("captures", nargs="+")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    signatures = load_signatures()
    for path in options.captures:
        one_pass(path, True, signatures)
        runs: dict[bool, list[tuple[dict[str, float], float, int]]] = {True: [], False: []}
        for _ in range(options.runs):
            for follow, seen in runs.items():
                seen.append(one_pass(path, follow, signatures))
        packets = runs[True][0][2]

        def middle(follow: bool, stage: str, runs: Any = runs, packets: int = packets) -> float:
            return statistics.median(spent.get(stage, 0.0) for spent, _, _ in runs[follow]) / packets * 1e9

        whole = statistics.median(seconds for _, seconds, _ in runs[True]) / packets * 1e9
        named = {stage: middle(True, stage) for stage in dict.fromkeys([*STAGES.values(), "other kernels"])}
        tally = named["flows, time bins"]
        named["flows, time bins"] = middle(False, "flows, time bins")
        named[FOLLOWING] = tally - named["flows, time bins"]
        named[REST] = whole - sum(named.values())
        print(
            f"{path}: {packets:,} packets, {whole:.0f} ns a packet\n\n| stage | ns a packet | share |\n|---|---:|---:|"
        )
        for stage, value in named.items():
            print(f"| {stage} | {value:.1f} | {100 * value / whole:.0f} % |")
        print()
    rows = {"RECORD": RECORD, "PACKET": PACKET, "FLOW": FLOW, "PROBE": state.PROBE, "TCP_SIDE": state.TCP_SIDE}
    rows["STREAM"] = stream_table.STREAM
    print("Bytes of a row: " + ", ".join(f"{name} {dtype.itemsize}" for name, dtype in rows.items()))


if __name__ == "__main__":
    main()
