"""Numbers in the words of the screen: bytes, rates, times, counts.

In: plain ints and floats in the units of `classifier.columns` (bytes, bit/s, nanoseconds since the epoch UTC).
Out: short text. Units are decimal (1 kB = 1,000 bytes), as network equipment counts. Next: `render`, `findings`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = ("", "k", "M", "G", "T", "P", "E")


def _scaled(value: float, unit: str) -> str:
    """Three significant digits with the decimal prefix that fits: `1.20 GB`, `999 kB`."""
    amount = float(value)
    step = 0
    while step < len(_STEPS) - 1 and abs(amount) >= 999.5:
        amount /= 1000
        step += 1
    if step == 0:
        return f"{amount:.0f} {unit}"
    decimals = 2 if amount < 9.995 else 1 if amount < 99.95 else 0
    return f"{amount:.{decimals}f} {_STEPS[step]}{unit}"


def size(count: float) -> str:
    """Bytes: `1.20 GB`."""
    return _scaled(count, "B")


def rate(bps: float) -> str:
    """Bits per second: `2.41 Mbit/s`; what is there but tiny is not shown as nothing."""
    if 0 < bps < 1:
        return "< 1 bit/s"
    return _scaled(bps, "bit/s")


def number(value: int) -> str:
    """A count with grouped thousands: `1,204,332`."""
    return f"{value:,}"


def counted(value: int, noun: str, plural: str = "") -> str:
    """A count with its noun: `1 flow`, `12,000 flows`."""
    return f"{value:,} {noun if value == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share (0 to 1) as percent; what is there but tiny is not shown as nothing."""
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{share * 100:.1f} %"


def span(duration_ns: int) -> str:
    """A span of time by its two largest units: `10 min 3 s`, `0.35 s`."""
    if duration_ns < 9_995_000_000:
        if duration_ns <= 0:
            return "0 s"
        if duration_ns < 1_000_000:
            return f"{duration_ns / 1e3:.3g} µs"
        if duration_ns < 1_000_000_000:
            return f"{min(duration_ns / 1e6, 999):.3g} ms"
        return f"{duration_ns / 1e9:.2f} s"
    seconds = round(duration_ns / 1e9)
    if seconds < 60:
        return f"{duration_ns / 1e9:.1f} s"
    for unit, name, smaller, small_name in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if seconds >= unit:
            rest = seconds % unit // smaller
            return f"{seconds // unit} {name}" + (f" {rest} {small_name}" if rest else "")
    raise AssertionError(seconds)


def exact_span(span_ns: int) -> str:
    """A round span of time exactly: `100 ms`, `90 s`, `5 min`."""
    for unit, name in ((86_400 * 10**9, "d"), (3600 * 10**9, "h"), (60 * 10**9, "min"), (10**9, "s"), (10**6, "ms")):
        if span_ns % unit == 0:
            return f"{span_ns // unit:,} {name}"
    return f"{span_ns:,} ns"


def moment(time_ns: int, *, digits: int = 0) -> str:
    """A time in UTC: `2024-05-03 08:12:44`, with `digits` (0-9) of the second's fraction."""
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    try:
        text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
    except OverflowError:  # no capture format reaches it; a broken one may claim to
        return f"{time_ns / 1e9:.0f} s after 1970"
    return f"{text}.{fraction:09d}"[: len(text) + 1 + digits] if digits else text


def period(first_ns: int, last_ns: int) -> str:
    """From and to in UTC, the day said once when it is the same."""
    first, last = moment(first_ns), moment(last_ns)
    if first == last:
        return f"{first} UTC"
    if first[:10] == last[:10] and " after " not in last:
        last = last[11:]
    return f"{first} to {last} UTC"


BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = ".:-=+*%@"


def sparkline(values: list[float], *, blocks: str = BLOCKS, top: float | None = None) -> str:
    """One character per value, scaled to the highest (or `top`); a blank where there is nothing."""
    highest = max(values, default=0.0) if top is None else top
    if highest <= 0:
        return " " * len(values)
    last = len(blocks) - 1
    return "".join(" " if v <= 0 else blocks[min(last, int(v / highest * last + 0.5))] for v in values)
