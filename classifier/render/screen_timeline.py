"""The capture over time as text: a curve per component, the busiest seconds, bursts, the link, then bin by bin.

In: a Report, the screen's width. Out: lines. A curve's character is the highest bin of its slot, scaled to the line's
own peak, so that a small component can be seen too; how high that is stands beside it. Next: `render.screen_tables`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from classifier import units
from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.report import Report
    from classifier.tables.timeline import Link, Summary

CURVE_LEAST, CURVE_WANTED, CURVE_MOST = 20, 30, 120
MEAN, P95, BURST = 1, 2, 5
"""Columns beside the curves that give way on a narrow screen."""
NAME_LIMIT = 30
TICK_EVERY = 22
"""Characters between the times of an axis, at least."""
DAY_NS = 86_400 * 10**9
UNICODE = (units.BLOCKS, "│")
ASCII = (units.ASCII_BLOCKS, "|")

Cells = tuple[str, ...]


def lines(report: Report, *, width: int, unicode: bool) -> list[str]:
    """The whole section but its title."""
    summary = report.over_time()
    shown = [_bins(summary), ""]
    shown += _curves(report, summary, width, unicode)
    sentences = [_burst(summary)]
    if summary.link is not None:
        sentences += _link(summary.link)
    shown += ["", *(line for text in sentences for line in textwrap.wrap(text, max(width, 60)))]
    shown += ["", f"BUSIEST {_seconds(summary)}", *_busiest(summary)]
    shown += ["", f"ALL COMPONENTS TOGETHER, bins of {units.exact_span(summary.bin_ns)}", *_totals(summary, unicode)]
    return shown


def _bins(summary: Summary) -> str:
    text = f"Bins of {units.exact_span(summary.bin_ns)}, UTC, counted from the epoch."
    if summary.asked_ns is not None and summary.asked_ns != summary.bin_ns:
        text += f" Asked for: {units.exact_span(summary.asked_ns)}, but the capture is kept in wider ones."
    return text


def _seconds(summary: Summary) -> str:
    return "SECONDS" if summary.second_ns == 10**9 else f"BINS OF {units.exact_span(summary.second_ns)}"


# -- curves


def _curves(report: Report, summary: Summary, width: int, unicode: bool) -> list[str]:
    """A heading with the axis, everything together, then one line per component."""
    names: list[str | None] = [None, *(str(row["id"]) for row in report.rows("components"))]
    peaks = [summary.peak(name).start_ns for name in names]
    rows: list[Cells] = [("", "mean", "p95", "peak", "at (UTC)", "burst")]
    for name, row, at in zip(names, [None, *report.rows("components")], peaks, strict=True):
        label = "everything" if name is None else printable(name, NAME_LIMIT)
        mean, p95 = (row["mean_bps"], row["p95_bps"]) if row else (summary.mean_bps(), summary.p95_bps())
        rates = (units.rate(mean), units.rate(p95), units.rate(summary.peak(name).bps))
        rows.append((label, *rates, _clock(at, summary), f"x{summary.burst(name).factor:.1f}"))
    dropped = [] if summary.bursts else [BURST]
    table = _aligned(_without(rows, dropped))
    for column in (P95, BURST, MEAN):  # other tables have them
        if width - len(table[0]) - 4 < CURVE_WANTED:
            dropped.append(column)
            table = _aligned(_without(rows, dropped))
    room = max(CURVE_LEAST, min(CURVE_MOST, width - len(table[0]) - 4))
    blocks, edge = UNICODE if unicode else ASCII
    begin, slot, count = summary.slots(room)
    times, ticks = _axis(begin, slot, count)
    shown = [f"{' ' * len(table[0])}  {' ' + times}".rstrip(), f"{table[0]}  {edge}{ticks}{edge}"]
    for line, name, at in zip(table[1:], names, peaks, strict=True):
        curve = _marked(summary.curve(name, room), (at - begin) // slot, blocks)
        shown.append(f"{line}  {edge}{curve}{edge}")
    what = "one bin" if slot == summary.bin_ns else f"the highest of {slot // summary.bin_ns:,} bins"
    legend = f"A character is {units.exact_span(slot)}: {what}; {blocks[-1]} is where the highest second is."
    return [*shown, legend]


def _without(rows: list[Cells], columns: list[int]) -> list[Cells]:
    return [tuple(cell for n, cell in enumerate(row) if n not in columns) for row in rows]


def _marked(values: list[float], top: int, blocks: str) -> str:
    """A curve in which only the slot of the peak has the full block."""
    drawn = list(units.sparkline(values, blocks=blocks[:-1]))
    if 0 <= top < len(drawn):
        drawn[top] = blocks[-1]
    return "".join(drawn)


def _axis(begin: int, slot: int, count: int) -> tuple[str, str]:
    """Times above a curve, and the marks that say where they are."""
    times, ticks = [" "] * (count + TICK_EVERY), [" "] * count
    digits = 0 if slot >= 10**9 else 1
    for at in range(0, count, TICK_EVERY):
        text = units.moment(begin + at * slot, digits=digits)
        text = text[:10] if slot * TICK_EVERY >= DAY_NS else text[11:]
        times[at : at + len(text)] = text
        ticks[at] = "'"
    return "".join(times).rstrip(), "".join(ticks)


def _clock(time_ns: int, summary: Summary) -> str:
    """A time of the capture; the day too when there is more than one."""
    totals = summary.facts.totals
    text = units.moment(time_ns)
    first, last = units.moment(totals["first_ns"]), units.moment(totals["last_ns"])
    return text[11:] if first[:10] == last[:10] and len(text) == 19 else text


# -- sentences


def _burst(summary: Summary) -> str:
    if not summary.bursts:
        return f"Bursts are not known: the capture is kept in bins of {units.exact_span(summary.second_ns)}."
    burst = summary.burst()
    when = units.moment(burst.start_ns, digits=1)
    return (
        f"Bursts: the highest 100 ms ({when}) were at {units.rate(burst.bps)}, {burst.factor:.1f} times the mean of "
        f"their second, {units.rate(burst.second_bps)}. 1 is even, 10 is a second's traffic in a tenth of it."
    )


def link_in_short(link: Mapping[str, Any]) -> str:
    """The document's link as one line of 100 characters at most."""
    wide = "second" if link["width_ns"] == 10**9 else f"bin of {units.exact_span(link['width_ns'])}"
    used = f"mean {units.percent(link['mean'])}, highest {wide} {units.percent(link['highest'])}"
    above = f"above 60 % in {link['bins_above']:,} of {link['bins']:,}"
    return f"Link of {units.rate(link['bps'])}: {used}, {above} (--section timeline)"


def _link(link: Link) -> list[str]:
    wide = "second" if link.width_ns == 10**9 else f"bin of {units.exact_span(link.width_ns)}"
    of = units.counted(link.bins, "second") if wide == "second" else units.counted(link.bins, "bin")
    shown = [
        f"Link of {units.rate(link.bps)}: {units.percent(link.mean)} used in the mean, {units.percent(link.highest)} "
        f"in the highest {wide} ({units.moment(link.highest_ns)}).",
        "Counted as Ethernet: 24 bytes more for each frame than were captured (preamble 8, gap 12, check sum 4).",
    ]
    if link.bins_above and link.first_above_ns is not None:
        since = units.moment(link.first_above_ns)
        shown.insert(1, f"WARNING: above 60 % of the link in {link.bins_above:,} of {of}, first at {since}.")
    else:
        shown.insert(1, f"Above 60 % of the link in none of {of}.")
    return shown


# -- tables


def _busiest(summary: Summary) -> list[str]:
    rows: list[Cells] = [("time (UTC)", "rate", "packets", "most of it")]
    for busy in summary.busiest():
        most = f"{printable(busy.component, NAME_LIMIT)} {units.percent(busy.component_bps / (busy.bps or 1))}"
        rows.append((units.moment(busy.start_ns), units.rate(busy.bps), units.number(busy.packets), most))
    return _aligned(rows, left=(0, 3))


def _totals(summary: Summary, unicode: bool) -> list[str]:
    """A line per bin that holds packets, with a bar."""
    rows: list[Cells] = [("time (UTC)", "packets", "bytes", "rate", "")]
    totals = summary.totals()
    highest = max((wire for _, _, wire in totals), default=0) or 1
    bar = "█" if unicode else "#"
    digits = 0 if summary.bin_ns % 10**9 == 0 else 1
    for start, packets, wire in totals:
        drawn = bar * round(wire / highest * 30)
        rate = units.rate(wire * 8e9 / summary.bin_ns)
        rows.append((units.moment(start, digits=digits), units.number(packets), units.size(wire), rate, drawn))
    return _aligned(rows, left=(0, 4))


def _aligned(rows: list[Cells], left: tuple[int, ...] = (0,)) -> list[str]:
    """Cells as columns, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    shown = []
    for row in rows:
        sized = enumerate(zip(row, widths, strict=True))
        shown.append("  ".join(cell.ljust(w) if n in left else cell.rjust(w) for n, (cell, w) in sized))
    return shown if left == (0,) else [line.rstrip() for line in shown]
