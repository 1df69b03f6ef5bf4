"""Every kernel that Python calls, and what it is called with: what is compiled, ahead of the first call.

In: the kernel modules. Out: `ENTRIES`. Next: `machine`, which checks calls by it, `compiling`, which compiles by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from classifier.capture import pcap, pcapng  # noqa: F401  (they register their kernels)
from classifier.columns import BIN, FLOW, PACKET, RECORD
from classifier.flows import copies as cp
from classifier.flows import framing_table as ft
from classifier.flows import state as st
from classifier.flows import stream_table as sm
from classifier.flows import tally  # noqa: F401

PACKAGES = ("capture", "decode", "flows")
"""The packages that kernels, and the constants which they read, are in."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A C-contiguous array."""

    dtype: np.dtype[Any]
    ndim: int = 1


Group = tuple[Rows, ...]
Argument = Rows | Group | None
"""An array, several as one tuple, or (None) an integer."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a kernel takes; `results`: how many integers it returns."""

    arguments: tuple[Argument, ...]
    results: int = 0


INT = None
_BYTES, _I4, _I8, _U4 = (Rows(np.dtype(kind)) for kind in ("u1", "i4", "i8", "u4"))
_RECORDS, _PACKETS, _FLOWS, _BINS = Rows(RECORD), Rows(PACKET), Rows(FLOW), Rows(BIN)
_LOG, _PROBES, _TCP, _STREAMS = Rows(st.LOGGED_RECORD), Rows(st.PROBE), Rows(st.TCP_SIDE), Rows(sm.STREAM)
_FRAGMENTS, _FOLLOWED = Rows(st.FRAGMENT), Rows(ft.FOLLOWED)
_MEDIA: Group = (_STREAMS, _I8, Rows(sm.STREAM_BIN), _I8)
_FRAMING: Group = (
    Rows(ft.FRAMING),
    Rows(ft.HOLD),
    Rows(np.dtype("u1"), 2),
    Rows(ft.FOUND_RTP),
    Rows(ft.FOUND_RTCP),
    _BYTES,
    _I8,
)
_TABLE = Rows(np.dtype("i8"), 2)

ENTRIES: dict[str, Entry] = {
    "walk_pcap": Entry((_BYTES, INT, INT, _RECORDS, INT, INT, _I8), 1),
    "resync_pcap": Entry((_BYTES, INT, INT, INT, INT, _I8), 1),
    "walk_pcapng": Entry((_BYTES, INT, INT, _RECORDS, INT, INT, _I8, _TABLE, _TABLE), 1),
    "resync_pcapng": Entry((_BYTES, INT, INT, INT, INT, _I8), 1),
    "decode_batch": Entry((_BYTES, _RECORDS, INT, _PACKETS)),
    "sniff_batch": Entry((_BYTES, _PACKETS, INT)),
    "tally_batch": Entry(
        (
            _PACKETS, INT, _FLOWS, _I8, _BINS, _LOG, Rows(st.CANDIDATE), _BYTES, _PROBES, _MEDIA, _TCP, _FOLLOWED,
            _FRAGMENTS, _PACKETS, _I4, _I8, _I8,
        )
    ),
    "flush_held": Entry((_FLOWS, _I8, _BINS, _LOG, _FRAGMENTS, _PACKETS, _I4, _I8, _I8)),
    "rehash": Entry((_FLOWS, _I8, INT)),
    "join_runs": Entry((_BINS, INT, INT, _I8, _I8), 2),
    "finish_tcp": Entry((_TCP, INT)),
    "replace_streams": Entry((_STREAMS, _I8, INT)),
    "close_streams": Entry((_MEDIA,)),
    "continuity_batch": Entry((_BYTES, _PACKETS, INT, INT, _MEDIA, Rows(sm.TS_PID))),
    "follow_interleaved": Entry((_BYTES, _PACKETS, _FOLLOWED, INT, INT, _TCP, _FRAMING, _I8), 1),
    "end_interleaved": Entry((_FRAMING, INT), 1),
    "count_found": Entry((_FRAMING, INT, INT, _PROBES, _MEDIA)),
    "look_at_rows": Entry((_PACKETS, INT, _U4, _I8, _BYTES, _I8, _I8, Rows(cp.EVENT), Rows(cp.MAC)), 1),
    "hash_heads": Entry((_BYTES, _PACKETS, _I8, INT, _BYTES, _U4)),
    "count_copies": Entry((_PACKETS, INT, _PACKETS, _U4, _U4, _BYTES, _I8)),
    "keep_last": Entry((_BYTES, _PACKETS, INT, INT, _U4, _U4, _PACKETS)),
}  # fmt: skip
"""By name. Adding a kernel that Python calls, or an argument of one, means a change here: calls are checked by it."""

RARE = frozenset(
    {"follow_interleaved", "end_interleaved", "count_found", "continuity_batch", "resync_pcap", "resync_pcapng"}
)
"""Kernels for what few captures have (media inside RTSP, transport streams, damage): compiled when first called."""
COMMON = frozenset(ENTRIES) - RARE
