"""Tables as pandas DataFrames, typed by `columns.TABLES`.

In: columns of a report's table. Out: a DataFrame: times `datetime64[ns, UTC]`, categories, `Int64` where a number may
be missing; a table without rows has the same columns and dtypes. Importing this module imports pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from classifier.columns import TABLES, Column
from classifier.tables.rates import grouped

if TYPE_CHECKING:
    from classifier.report import Report

CELLS = 50_000_000
_NOT_A_TIME = np.iinfo("i8").min  # NaT, as numpy keeps it
VALUES = {"bps": "bit/s", "wire_bytes": "bytes", "packets": "packets"}


def frame(section: str, columns: dict[str, Any]) -> pd.DataFrame:
    """The DataFrame of a table."""
    return pd.DataFrame({column.name: _series(column, columns[column.name]) for column in TABLES[section]})


def _series(column: Column, values: Any) -> pd.Series[Any]:
    if column.kind == "time":
        if column.nullable:
            values = [_NOT_A_TIME if value is None else value for value in values]
        return pd.Series(pd.DatetimeIndex(np.asarray(values, "i8").view("M8[ns]"), tz="UTC"))
    if column.kind == "int":
        if column.nullable:
            return pd.Series(pd.array(list(values), dtype="Int64"))
        return pd.Series(np.asarray(values, "i8"))
    if column.kind == "float":
        return pd.Series(np.asarray(values, "f8"))
    if column.kind == "category":
        listed = list(values)
        return pd.Series(pd.Categorical(listed, categories=sorted(set(listed))))
    if column.kind == "str":
        return pd.Series(list(values), dtype="str")
    out = np.empty(len(values), object)
    out[:] = list(values) if len(values) else []
    return pd.Series(out, dtype=object)


def timeseries(report: Report, freq: str, by: str, value: str, top: int) -> pd.DataFrame:
    """`Report.timeseries`."""
    facts = report.facts
    read, rates = facts.read, facts.rates
    if value not in VALUES:
        raise ValueError(f"value must be one of {', '.join(VALUES)}, not {value!r}")
    width = _width_ns(freq, read.bin_width_ns)
    bins = read.bins
    if by == "component":
        key, start, wire, packets = rates.component, rates.start_ns, rates.wire, rates.packets
        order = [facts.labels.components.index(name) for name in report.columns("components")["id"]]
        labels: Any = report.columns("components")["id"]
    elif by in ("flow", "host"):
        flow = facts.flow_of_row[bins["flow"]]
        start, wire, packets = bins["bin_ns"], bins["a_wire"] + bins["b_wire"], bins["packets"].astype("i8")
        if by == "flow":
            key = flow
        else:
            ends = facts.addresses
            with_flow = flow >= 0
            flow, start, wire, packets = flow[with_flow], start[with_flow], wire[with_flow], packets[with_flow]
            orig, resp = ends.orig[flow], ends.resp[flow]
            twice = orig != resp
            key = np.concatenate([orig, resp[twice]])
            start, wire = np.concatenate([start, start[twice]]), np.concatenate([wire, wire[twice]])
            packets = np.concatenate([packets, packets[twice]])
            key = np.where(ends.group[key], -1, key)
        order = _heaviest(key, wire, top)
        labels = order if by == "flow" else ends.texts(np.asarray(order, "i8")).tolist()
    elif by == "stream":
        from classifier.tables.streams import STREAMS_LISTED, ranking

        table = read.streams
        width = _width_ns(freq, table.bin_width_ns)
        number = np.full(len(table), -1, "i8")
        listed = ranking(facts)[:STREAMS_LISTED]
        number[listed] = np.arange(len(listed))
        key, start = number[table.bins["stream"]], table.bins["bin_ns"]
        wire, packets = table.bins["wire"], table.bins["packets"].astype("i8")
        labels = order = _heaviest(key, wire, top)
    else:
        raise ValueError(f"by must be component, flow, host or stream, not {by!r}")

    totals = facts.totals
    index, lowest = _index(totals["first_ns"], totals["last_ns"], width, max(1, len(order)))
    key, start, wire, packets = grouped(_renumbered(key, order), start, width, wire, packets)
    cells = np.zeros((len(index), len(order)), "i8")
    cells[start // width - lowest, key] = packets if value == "packets" else wire
    data = cells * (8e9 / width) if value == "bps" else cells
    out = pd.DataFrame(data, index=index, columns=pd.Index(labels, name=by))
    out.attrs["unit"] = VALUES[value]
    return out


def stream_timeseries(report: Report, row: dict[str, Any], number: int, freq: str) -> pd.DataFrame:
    """`Report.stream_timeseries`; `row`: the stream's row."""
    from classifier.tables.streams import ranking

    facts = report.facts
    table, losses = facts.read.streams, facts.losses
    place = ranking(facts)[number]
    width = _width_ns(freq, table.bin_width_ns)
    index, lowest = _index(row["first_ns"], row["last_ns"], width, 6)
    low, high = np.searchsorted(table.bins["stream"], [place, place + 1])
    bins = table.bins[low:high]
    at = bins["bin_ns"] // width - lowest
    sums = {name: np.zeros(len(index), "i8") for name in ("wire", "packets", "alone", "with_others")}
    for name in ("wire", "packets"):
        np.add.at(sums[name], at, bins[name])
    if losses is None:
        np.add.at(sums["alone"], at, bins["lost"])
    else:
        low, high = np.searchsorted(losses.stream, [place, place + 1])
        when, lost = losses.bin_ns[low:high] // width - lowest, losses.lost[low:high]
        together = losses.together[low:high]
        np.add.at(sums["with_others"], when[together], lost[together])
        np.add.at(sums["alone"], when[~together], lost[~together])
    jitter = np.full(len(index), np.nan)
    if row["jitter_ms"] is not None:
        np.fmax.at(jitter, at, bins["jitter_us"] / 1000)
    columns = {
        "bps": sums["wire"] * (8e9 / width),
        "wire_bytes": sums["wire"],
        "packets": sums["packets"],
        "lost_alone": sums["alone"],
        "lost_with_others": sums["with_others"],
        "jitter_ms": jitter,
    }
    out = pd.DataFrame(columns, index=index)
    out.attrs["width_ns"] = width
    return out


def _width_ns(freq: str, bin_width_ns: int) -> int:
    from pandas.tseries.frequencies import to_offset

    try:
        step: Any = to_offset(freq)
        width = int(pd.Timedelta(step).value)
    except (ValueError, TypeError, AttributeError) as problem:
        raise ValueError(f"freq must be a fixed span such as 1s, 10s or 1min, not {freq!r}") from problem
    if width <= 0 or width % bin_width_ns:
        raise ValueError(
            f"freq must be a multiple of the capture's time bins, {bin_width_ns / 1e9:g} s; {freq!r} is not"
        )
    return width


def _index(first_ns: int | None, last_ns: int | None, width: int, columns: int) -> tuple[pd.DatetimeIndex, int]:
    if first_ns is None or last_ns is None:
        return pd.DatetimeIndex(np.zeros(0, "M8[ns]"), tz="UTC", name="time"), 0
    lowest, highest = first_ns // width, last_ns // width
    rows = highest - lowest + 1
    if rows * columns > CELLS:
        raise ValueError(f"{rows} time steps of {columns} columns are too many: ask for a longer freq")
    times = (np.arange(lowest, highest + 1) * width).view("M8[ns]")
    return pd.DatetimeIndex(times, tz="UTC", name="time"), lowest


def _heaviest(key: np.ndarray[Any, Any], wire: np.ndarray[Any, Any], top: int) -> list[int]:
    """The `top` keys with most bytes, most first."""
    distinct, at = np.unique(key[key >= 0], return_inverse=True)
    sums = np.zeros(len(distinct), "i8")
    np.add.at(sums, at, wire[key >= 0])
    return [int(k) for k in distinct[np.lexsort((distinct, -sums))[:top]]]


def _renumbered(key: np.ndarray[Any, Any], order: list[int]) -> np.ndarray[Any, Any]:
    """Keys as places in `order`, -1 for keys that are not in it."""
    size = max([int(key.max()) if len(key) else -1, *order], default=-1) + 1
    place = np.full(size + 1, -1, "i8")  # the last entry answers key -1
    place[np.asarray(order, "i8")] = np.arange(len(order))
    numbers: np.ndarray[Any, Any] = place[key]
    return numbers
