"""Joining time bins: the log of BIN rows made shorter, at the same width or a wider one.

In: the log in the order in which bins were closed. Out: the same log with equal neighbours of a flow added together.
Next: `flows.tally`, when there are too many. One pass, in place: sorting 16 million rows would take as long as reading
the capture that they are from.
"""

from __future__ import annotations

from typing import Any

from classifier.jit import i64, kernel


@kernel
def join_runs(bins: Any, n: int, width: int, last: Any, newest: Any) -> tuple[int, int]:
    """Join `bins[0:n]` at `width`: rows of a flow that follow each other in one bin become one. `(kept, new)`.

    `kept`: rows left, at the front. `new`: how many of these are certainly the first of their (flow, bin): those later
    than everything before; of the others, whose time ran backwards, only sorting can tell. `last`, `newest`: zeroed
    i8, one per flow.
    """
    kept = 0
    new = 0
    for i in range(n):
        b = bins[i]
        flow = i64(b["flow"])
        start = i64(b["bin_ns"])
        start -= start % width
        a_wire = i64(b["a_wire"])
        b_wire = i64(b["b_wire"])
        packets = i64(b["packets"])
        at = i64(last[flow]) - 1
        if at >= 0 and i64(bins[at]["bin_ns"]) == start:
            o = bins[at]
            o["a_wire"] += a_wire
            o["b_wire"] += b_wire
            o["packets"] += packets
            continue
        if at < 0 or start > i64(newest[flow]):
            newest[flow] = start
            new += 1
        o = bins[kept]
        o["bin_ns"] = start
        o["a_wire"] = a_wire
        o["b_wire"] = b_wire
        o["packets"] = packets
        o["flow"] = flow
        kept += 1
        last[flow] = kept
    return kept, new
