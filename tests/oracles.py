"""Other programs' counts of a capture: tshark and scapy.

In: a path. Out: packet and byte counts. Next: the tests of samples and benchmarks compare. Flows: `agreement`.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HAVE_TSHARK = shutil.which("tshark") is not None


@dataclass(frozen=True)
class Counts:
    """Packets and original bytes of a file; `complaint` is what the program had to say against it."""

    packets: int
    wire_bytes: int
    complaint: str = ""


def tshark_counts(path: Path) -> Counts | None:
    """Counts by tshark: frame lengths added up. None when it refuses the file."""
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-e", "frame.len"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    lengths = [int(line) for line in done.stdout.split()]
    if not lengths and done.returncode != 0:
        return None
    return Counts(len(lengths), sum(lengths), done.stderr.strip())


def scapy_counts(path: Path) -> Counts:
    """Counts by scapy's raw readers (they follow the original length of each record)."""
    from scapy.utils import RawPcapReader

    packets = wire_bytes = 0
    with RawPcapReader(str(path)) as reader:
        for _data, about in reader:
            packets += 1
            wire_bytes += about.wirelen
    return Counts(packets, wire_bytes)
