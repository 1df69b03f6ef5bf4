"""The dataset's tables and their columns.

In: `columns.TABLES`. Out: `DATASET`: per table its columns, `capture_id` first. Next: `task` writes them, `summary`
reads them, `docs/generate.py` describes them. The table of captures exists only here: a report of one capture tells
the same in its head.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.columns import TABLES, Column

LAYOUT = 1
"""Number of the arrangement of folders and names; another one is another dataset."""


@dataclass(frozen=True)
class CaptureColumn(Column):
    """A column of `captures`; `optional`: null for a capture that could not be read."""

    optional: bool = False

    @property
    def nullable(self) -> bool:
        """Whether a value may be missing."""
        return self.optional


ID = CaptureColumn("capture_id", "str", "", "the capture: 16 hex digits of its name, a dash, 16 of its content")

OK, DAMAGED, UNREADABLE = "ok", "damaged", "unreadable"

CAPTURES: tuple[Column, ...] = (
    ID,
    CaptureColumn("name", "str", "", "path below the dataset's root, with / between folders; else the whole path"),
    CaptureColumn("site", "category", "", "first folder of the name; of a file in no folder its name without suffixes"),
    CaptureColumn(
        "status", "category", "", "ok; damaged: read in part, or cut off; unreadable: no row in other tables"
    ),
    CaptureColumn("sha256", "str", "", "of the file; null when it could not be read to its end", True),
    CaptureColumn("file_bytes", "int", "bytes", "size of the file; null as sha256 is", True),
    CaptureColumn("format", "category", "", "pcap, pcapng; empty when it is neither"),
    CaptureColumn("compression", "category", "", "gzip, zstd, lz4 or empty"),
    CaptureColumn("link_types", "list", "", "names of the link types in it"),
    CaptureColumn("packets", "int", "packets", ""),
    CaptureColumn("wire_bytes", "int", "bytes", "original frame lengths"),
    CaptureColumn("captured_bytes", "int", "bytes", ""),
    CaptureColumn("ip_bytes", "int", "bytes", "IP total lengths"),
    CaptureColumn("flows", "int", "flows", ""),
    CaptureColumn("first_ns", "time", "ns", "earliest packet; null without packets", True),
    CaptureColumn("last_ns", "time", "ns", "latest packet; null without packets", True),
    CaptureColumn("duration_ns", "int", "ns", ""),
    CaptureColumn("complete", "bool", "", "read to its end, and nothing in it was damaged"),
    CaptureColumn("dropped", "int", "packets", "lost while capturing, as the file itself says"),
    CaptureColumn("problem_count", "int", "", "what was wrong with the file, and limits that were reached"),
    CaptureColumn("problem_codes", "list", "", "of the first of them"),
    CaptureColumn("problems", "list", "", "the same in sentences, with record and byte"),
    CaptureColumn("cut", "list", "", "tables that show only part of what there is: `streams: 1000 of 4200`"),
    CaptureColumn("hardware", "str", "", "of the capturing machine, as a pcapng file says"),
    CaptureColumn("os", "str", "", "the same"),
    CaptureColumn("application", "str", "", "the same"),
    CaptureColumn("comments", "list", "", "what somebody noted in a pcapng file"),
    CaptureColumn("timeline_bin_ns", "int", "ns", "width of the bins of `timeline`"),
    CaptureColumn("classify_version", "str", "", "what made it"),
    CaptureColumn("options", "str", "", "those that matter for the result, as JSON"),
    CaptureColumn("fingerprint", "str", "", "of program and options: captures with the same one can be compared"),
)

SECTIONS = (
    "flows", "components", "hosts", "streams", "multicast", "findings", "learned", "timeline",
)  # fmt: skip
"""Tables of a report that the dataset holds."""

DATASET: dict[str, tuple[Column, ...]] = {
    "captures": CAPTURES,
    **{section: (ID, *TABLES[section]) for section in SECTIONS},
}
