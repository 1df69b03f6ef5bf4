"""What reading a capture gives: problems, interfaces, facts about the file, batches of records.

In: nothing. Out: the plain types that the readers of this package fill. Next: `classifier.decode` (takes a
RecordBatch), the engine and the report (take a CaptureInfo).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[Any]

MAX_PROBLEMS = 50
"""Problems kept per capture; further ones are only counted."""

MAX_COMMENTS = 100
MAX_COMMENT_CHARACTERS = 1000
MAX_NAMES = 10_000
MAX_NAME_CHARACTERS = 255
MAX_INTERFACES = 65_536
MAX_STATISTICS = 200_000
MAX_BLOCK = 16 * 1024 * 1024
"""Longest pcapng block that is believed, in bytes (as in Wireshark)."""

# Problem codes
CUT = "cut"  # the file ends inside a record or block
DAMAGED = "damaged"  # bytes that are no record were skipped
TIMESTAMP = "timestamp"  # a time outside of what 64-bit nanoseconds hold
COMPRESSION = "compression"  # the compressed data is damaged or cut
TRAILING = "trailing"  # bytes after the compressed data
IO = "io"  # the system reported an error while reading
SHRUNK = "shrunk"  # the file got shorter while it was read
INTERFACE = "interface"  # a record names an interface that the file does not describe
LIMIT = "limit"  # something was left out to bound memory
HEADER = "header"  # a file header that says something odd


def counted(number: int, noun: str) -> str:
    """`"1 record"`, `"2 records"`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a capture: where it happened and what was done about it."""

    code: str
    record: int  # number of the record, from 1, that was to be read next
    offset: int  # byte offset in the (decompressed) file
    message: str


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody noted in a pcapng file (opt_comment)."""

    about: str  # "section", "interface" or "packet"
    number: int  # of the section, from 1; of the interface, from 0; of the record, from 1
    text: str  # as it stands in the file: renderers escape it


@dataclass(slots=True)
class Interface:
    """One interface of a capture: for pcap the file itself, for pcapng an Interface Description Block."""

    link: int  # LINKTYPE_ number
    snaplen: int = 0  # bytes, 0 = no limit
    name: str = ""
    description: str = ""
    os: str = ""
    filter: str = ""
    resolution: str = "1e-06"  # seconds per tick, as a power: 1e-09, 2^-20
    offset_s: int = 0
    received: int | None = None  # packets, from the last Interface Statistics Block
    dropped: int | None = None  # packets dropped by the interface and the operating system


@dataclass(slots=True)
class CaptureInfo:
    """Facts about one capture; the numbers grow while its batches are read."""

    path: str
    format: str = ""  # "pcap" or "pcapng"
    variant: str = ""  # what kind of pcap: "", "nanoseconds", "modified", "nokia", ...
    compression: str | None = None  # "gzip", "zstd", "lz4"
    size: int | None = None  # bytes of the file on disk, where known
    link_types: list[str] = field(default_factory=list)  # names of the LINKTYPE_ registry, in order of appearance
    packets: int = 0
    wire_bytes: int = 0
    captured_bytes: int = 0
    first_ns: int | None = None  # earliest time
    last_ns: int | None = None  # latest time
    complete: bool = True
    problems: list[Problem] = field(default_factory=list)  # the first MAX_PROBLEMS
    problem_count: int = 0
    interfaces: list[Interface] = field(default_factory=list)
    sections: int = 0
    hardware: str = ""
    os: str = ""
    application: str = ""
    comments: list[Comment] = field(default_factory=list)  # the first MAX_COMMENTS
    names: dict[str, str] = field(default_factory=dict)  # address -> host name, from Name Resolution Blocks
    dropped: int = 0  # packets lost while capturing, as the file says

    def problem(self, code: str, record: int, offset: int, message: str, *, complete: bool = False) -> None:
        """Note a problem; unless `complete`, the capture no longer counts as read completely."""
        self.problem_count += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(code, record, offset, message))
        if not complete:
            self.complete = False


@dataclass(slots=True)
class RecordBatch:
    """Up to BATCH records and the buffer they point into.

    Buffer and rows stay as they are until the next batch of the same reader is asked for.
    """

    buffer: Bytes  # bytes of the (decompressed) file
    records: Rows  # columns.RECORD, one row per record, in file order
    first_record: int  # number of records[0] in its capture, from 1
    base: int  # offset of buffer[0] in the (decompressed) file
    times: npt.NDArray[np.int64] | None = None  # for `merge.py`: the rows' times, made non-decreasing

    def __len__(self) -> int:
        return len(self.records)
