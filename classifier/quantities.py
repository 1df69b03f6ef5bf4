"""Spans of time and rates as people write them: `100ms`, `1min`, `1G`.

In: text. Out: integer nanoseconds, integer bits per second. Next: the command's options, `Report.with_timeline`.
"""

from __future__ import annotations

import re

MS = 1_000_000
SECOND = 1000 * MS

_SPANS = {"ms": MS, "s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": 86_400 * SECOND}
_RATES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_MOST = 2**63 - 1


def span_ns(text: str) -> int:
    """A span such as `100ms`, `1s`, `10min`, `6h`, `1d` in nanoseconds; raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,18})(ms|s|min|h|d)", text.strip())
    span = int(match[1]) * _SPANS[match[2]] if match else 0
    if not 0 < span <= _MOST:
        raise ValueError(f"{text!r} is no span of time: write 100ms, 1s, 10s, 1min, 1h or the like")
    return span


def bin_ns(text: str) -> int:
    """`span_ns` of a time bin: a multiple of 100 ms."""
    span = span_ns(text)
    if span % (100 * MS):
        raise ValueError(f"{text!r} is no multiple of 100ms")
    return span


def rate_bps(text: str) -> int:
    """A rate such as `100M`, `1G`, `2.5G` in bits per second; raises ValueError for anything else."""
    match = re.fullmatch(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?([kmgt]?)(?:bit/s|bps)?", text.strip(), re.IGNORECASE)
    rate = 0
    if match:
        decimals = match[2] or ""
        rate = int(match[1] + decimals) * _RATES[match[3].lower()] // 10 ** len(decimals)
    if not 0 < rate <= _MOST:
        raise ValueError(f"{text!r} is no rate of a link: write 100M, 1G, 10G (bits per second)")
    return rate
