"""Other programs' opinion of a capture: tshark, capinfos and scapy. Each answers None when it cannot say.

In: a path. Out: packet and byte counts, flows. Next: `test_corpus` and the format tests compare.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HAVE_TSHARK = shutil.which("tshark") is not None and shutil.which("capinfos") is not None


@dataclass(frozen=True)
class Counts:
    """Packets and original bytes of a file; `complaint` is what the program had to say against it."""

    packets: int
    wire_bytes: int
    complaint: str = ""


def capinfos(path: Path) -> Counts | None:
    """Counts by capinfos, also of a file that it reads only in part; None when it refuses the file."""
    command = ["capinfos", "-T", "-M", "-c", "-d", "-r", "-B", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    for line in done.stdout.splitlines():
        cells = line.split("\t")
        if len(cells) >= 3 and cells[0] == str(path) and cells[1].isdigit() and cells[2].isdigit():
            return Counts(int(cells[1]), int(cells[2]), done.stderr.strip())
    return None


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
