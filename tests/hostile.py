"""What the hostile-input tests share: large captures made quickly, and a measured run in a process of its own.

In: how many packets of which kind. Out: bytes of pcap files; peak memory and time of a run. Next: `test_hostile_*`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from capture_files import T0, pcap_header

ROOT = Path(__file__).resolve().parent.parent
MIB = 1 << 20

# The peak is of this process alone: getrusage's ru_maxrss would also hold what the parent had when it forked.
_SCRIPT = """
import json, sys, time
sys.path.insert(0, {root!r})
from classifier import engine
from classifier.limits import Limits
def peak():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
def full(report):
    from classifier.render import csv, json as as_json, text
    as_json.render(report)
    text.render(report, ())
    return report
full(engine.classify({sample!r}, compiled=True))
if {room!r}:
    import resource
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + {room!r}, size + {room!r}))
before, begun = peak(), time.monotonic()
report = full(engine.classify({path!r}, compiled=True, limits=Limits(**{limits!r})))
taken = time.monotonic() - begun
infos = report.captures
print(json.dumps({{
    "grown": peak() - before, "seconds": taken, "totals": report.totals,
    "sums": {{m: sum(row[m] for row in report.rows("components")) for m in ("packets", "wire_bytes", "flows")}},
    "packets": sum(info.packets for info in infos), "complete": report.complete,
    "problems": sorted({{p.code for info in infos for p in info.problems}}),
    "engine_problems": sorted(p.code for p in report.problems), "messages": [p.message for p in report.problems],
}}))
"""


def measured(path: Path, *, room: int = 0, **limits: int) -> dict[str, Any]:
    """Read a capture to the report, its text and JSON in a new process, with these `Limits`.

    `room`: bytes of address space that the system gives it beyond what it has by then (0: any; Linux only).

    Gives: grown (bytes of peak memory beyond what the kernels and imports need), seconds, totals, sums (of the
    component rows), packets, complete, problems and engine_problems (codes), messages of these. Checks the sums.
    """
    sample = str(ROOT / "captures" / "neighbours.pcapng")
    room = room if sys.platform == "linux" else 0
    script = _SCRIPT.format(root=str(ROOT), sample=sample, path=str(path), room=room, limits=limits)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    for measure, have in result["sums"].items():
        assert have == result["totals"][measure], measure
    assert result["totals"]["packets"] == result["packets"]
    return result


def udp_packets(count: int, *, payload: int = 0) -> npt.NDArray[Any]:
    """`count` pcap records of Ethernet, IPv4, UDP as a structured array, for the caller to change and write."""
    frame = 14 + 20 + 8 + payload
    kind = np.dtype(
        [
            ("sec", "<u4"), ("usec", "<u4"), ("captured", "<u4"), ("wire", "<u4"),
            ("macs", "V12"), ("ethertype", ">u2"),
            ("ihl", "u1"), ("tos", "u1"), ("length", ">u2"), ("id", ">u2"), ("fragment", ">u2"), ("ttl", "u1"),
            ("proto", "u1"), ("sum", ">u2"), ("src", ">u4"), ("dst", ">u4"),
            ("sport", ">u2"), ("dport", ">u2"), ("ulen", ">u2"), ("usum", ">u2"), ("data", "u1", (payload,)),
        ]
    )  # fmt: skip
    rows = np.zeros(count, kind)
    rows["sec"] = T0 + np.arange(count) // 100_000
    rows["usec"] = np.arange(count) % 100_000 * 10
    rows["captured"] = rows["wire"] = frame
    rows["ethertype"], rows["ihl"], rows["ttl"], rows["proto"] = 0x0800, 0x45, 64, 17
    rows["length"], rows["ulen"] = 28 + payload, 8 + payload
    rows["src"], rows["dst"], rows["sport"], rows["dport"] = 0x0A000001, 0x0A000002, 4000, 5000
    return rows


def write_pcap(path: Path, rows: npt.NDArray[Any], *, head: bytes | None = None) -> Path:
    """Write the records behind a pcap header."""
    with path.open("wb") as file:
        file.write(pcap_header() if head is None else head)
        rows.tofile(file)
    return path


def seconds_allowed(wanted: float) -> float:
    """Seconds a test may take: more where bounds checks slow the kernels down or the machine is shared."""
    return wanted * (4 if os.environ.get("NUMBA_BOUNDSCHECK", "0") not in ("", "0") else 2)
