"""Plots of a report with defaults that fit most captures: bandwidth by component, one stream's quality over time.

In: a Report. Out: matplotlib axes, yours to change. Next: notebooks. matplotlib is imported when a plot is asked for;
it comes with `vms-classifier[notebooks]`. Times are UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from classifier.report import Report

POINTS = 300
"""About as many time steps as a plot is given: more than that is narrower than the eye sees."""
WIDTHS_S = (0.1, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 6 * 3600, 86_400)

COLOURS = ("#4269d0", "#efb118", "#ff725c", "#6cc5b0", "#3ca951", "#ff8ab7", "#a463f2", "#97bbf5")
REST = "#b8b8b8"
LOST, SHARED, RATE, JITTER = "#d1242f", "#e8a33d", "#4269d0", "#6639ba"


def bandwidth(report: Report, *, freq: str | None = None, top: int = 6, ax: Any = None) -> Any:
    """Bandwidth over time, components stacked: the `top` by bytes, then all others as one. Returns the axes.

    `freq`: width of a step ("100ms", "1s", "1min"), None chooses about 300 steps, of 1 s at least. Raises ImportError
    without matplotlib, ValueError for a `freq` that `Report.timeseries` refuses.
    """
    plt = _pyplot()
    rates = report.timeseries(freq or _freq(report, least_s=1.0), by="component")
    ax = ax if ax is not None else plt.subplots(figsize=(10, 4), layout="constrained")[1]
    ranked = rates.sum().sort_values(ascending=False, kind="stable").index
    shown = rates[list(ranked[:top])].copy()
    if len(ranked) > top:
        shown[f"{len(ranked) - top} others"] = rates[list(ranked[top:])].sum(axis=1)
    scale, unit = _scale(float(shown.sum(axis=1).max()) if len(shown) else 0.0)
    colours = [COLOURS[place % len(COLOURS)] for place in range(min(top, len(ranked)))] + [REST]
    if len(shown) > 1:
        times, step = _edges(shown)
        layers = [list(shown[name] / scale) for name in shown]
        layers = [[*layer, layer[-1]] for layer in layers]  # the last step is as wide as the others
        ax.stackplot(times, layers, labels=list(shown.columns), colors=colours, step="post", linewidth=0)
        ax.set_xlim(times[0], times[-1])
        ax.set_title(f"Bandwidth by component, mean of {step}", loc="left", fontsize=10)
    _frame(ax, unit, last=True)
    if shown.shape[1]:
        handles, names = ax.get_legend_handles_labels()
        ax.legend(handles[::-1], names[::-1], loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=9)
    return ax


def stream(report: Report, number: int, *, freq: str | None = None) -> Any:
    """One stream over time: rate, packets lost, highest jitter. `number`: its row in `report.streams`.

    Returns the three axes. Losses of many streams at one instant, most likely the capture's own, have their own colour.
    Raises ImportError without matplotlib, ValueError for a number without a stream or a `freq` that
    `Report.stream_timeseries` refuses.
    """
    plt = _pyplot()
    row = report.stream(number)
    series = report.stream_timeseries(number, freq or _freq(report, span_ns=row["last_ns"] - row["first_ns"]))
    figure, axes = plt.subplots(3, 1, figsize=(10, 6), sharex=True, height_ratios=(3, 2, 2), layout="constrained")
    times, step = _edges(series)
    axes[0].set_xlim(times[0], times[-1])
    scale, unit = _scale(float(series["bps"].max()))
    axes[0].stairs(series["bps"] / scale, times, color=RATE, fill=True, alpha=0.35)
    alone, shared = series["lost_alone"], series["lost_with_others"]
    width = times[1] - times[0]
    middle = times[:-1] + width / 2
    axes[1].bar(middle, alone, width=width, color=LOST, label="in this stream alone")
    with_others = "with other streams: most likely the capture's"
    if shared.any():
        axes[1].bar(middle, shared, width=width, bottom=alone, color=SHARED, label=with_others)
    axes[1].yaxis.get_major_locator().set_params(integer=True)
    if row["lost"]:
        axes[1].legend(loc="upper right", frameon=False, fontsize=8)
    jitter = list(series["jitter_ms"])
    axes[2].step(times, [*jitter, *jitter[-1:]], where="post", color=JITTER)  # nothing where no packet came
    clock = " (clock assumed)" if row["clock_basis"] == "assumed" else ""
    for ax, label in zip(axes, (unit, "packets lost", f"jitter, ms{clock}"), strict=True):
        _frame(ax, label, last=ax is axes[2])
    axes[1].set_ylim(0, max(1.0, float((alone + shared).max())) * 1.3)
    if not row["expected"]:  # a transport stream without RTP
        _say(axes[1], f"no sequence numbers; {row['cc_errors'] or 0:,} breaks of the continuity counters")
    if series["jitter_ms"].isna().all():
        _say(axes[2], "not known: no time stamps, or their clock is not known")
    figure.suptitle(f"{_title(row)}, steps of {step}", x=0.01, ha="left", fontsize=10)
    return axes


def _title(row: dict[str, Any]) -> str:
    what = f"{row['codec'] or row['kind'].upper()} from {row['sender_address']}:{row['sender_port']}"
    what += f" to {row['receiver_address']}:{row['receiver_port']}"
    if row["expected"]:
        what += f": {row['lost']:,} of {row['expected']:,} packets lost"
    return what


def _say(ax: Any, text: str) -> None:
    """Words instead of an empty plot."""
    ax.set_yticks([])
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", color="0.4", fontsize=9)


def _pyplot() -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as problem:
        raise ImportError("plots need matplotlib: pip install 'vms-classifier[notebooks]'") from problem
    return plt


def _freq(report: Report, span_ns: int | None = None, least_s: float = 0.0) -> str:
    """A step that gives at most about `POINTS` of them and fits the time bins of the pass."""
    bins_s = report.facts.read.bin_width_ns / 1e9
    span_s = (report.totals["duration_ns"] if span_ns is None else span_ns) / 1e9
    step = max(span_s / POINTS, least_s, bins_s)
    chosen = next((width for width in WIDTHS_S if width >= step and (width / bins_s) % 1 < 1e-9), bins_s)
    return f"{round(chosen * 1000)}ms"


def _edges(series: pd.DataFrame) -> tuple[Any, str]:
    """Edges of the time steps as matplotlib's days, one more than steps; the width of one in words."""
    import numpy as np

    starts = series.index.as_unit("ns").asi8  # type: ignore[attr-defined]
    width = int(starts[1] - starts[0]) if len(starts) > 1 else int(series.attrs["width_ns"])
    return np.append(starts, starts[-1] + width) / 86_400e9, f"{width / 1e9:g} s"


def _frame(ax: Any, label: str, *, last: bool = False) -> None:
    """Axes that say their unit, the lowest of a figure the day too; called when the time axis has its limits."""
    from matplotlib import dates as module

    dates: Any = module  # has no types
    low, high = ax.get_xlim()
    ax.xaxis.set_major_locator(dates.AutoDateLocator(tz="UTC", minticks=3, maxticks=8))
    ax.xaxis.set_major_formatter(dates.DateFormatter("%H:%M:%S" if high - low < 2 else "%d %b %H:%M", tz="UTC"))
    ax.set_xlabel(f"{dates.num2date(low, tz='UTC'):%Y-%m-%d} UTC" if last else "")
    ax.set_ylabel(label)
    ax.set_ylim(bottom=0)
    ax.grid(axis="y", linewidth=0.5, alpha=0.4)
    ax.spines[["top", "right"]].set_visible(False)


def _scale(most: float) -> tuple[float, str]:
    for scale, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if most >= scale:
            return scale, unit
    return 1.0, "bit/s"
