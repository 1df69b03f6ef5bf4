"""Media streams as text: worst first, one line each, and below it sentences on what is wrong with it.

In: rows of the table "streams". Out: lines of at most 80 columns as far as addresses allow. Next:
`render.screen_tables` (every stream), `render.screen_overview` (the worst few).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from classifier import units
from classifier.render.escape import printable

Row = dict[str, Any]

JITTER_MS = 30.0
"""Jitter that is worth a word (ours): a good part of the 40 ms that a picture lasts at 25 a second."""
SILENCE_S, SILENCE_FRAMES = 2.0, 10
"""Silence of a stream that is worth a word: so long, and as long as so many of its frames."""
DUPLICATES = 0.01
"""Share of packets that came twice that is worth a word."""

WIDTH = 80
INDENT = "        "
COLUMNS = "  lost  burst    jitter         rate  codec  from > to"


def worst_first(rows: Sequence[Row]) -> list[Row]:
    """Streams by loss in the capture, loss by the receiver's report, and other faults; the rest by their rate."""
    return sorted(
        rows,
        key=lambda row: (
            -row["loss"], -(row["reported_loss"] or 0.0), -(row["cc_errors"] or 0), -row["restarts"],
            -int(_silent(row)), -(_jitter(row)[1] if _shaky(row) else 0.0), -row["mean_bps"],
        ),
    )  # fmt: skip


def is_bad(row: Row) -> bool:
    """Whether there is something to say of a stream."""
    return bool(
        row["lost"] or row["reported_loss"] or row["cc_errors"] or row["restarts"] or _silent(row) or _shaky(row)
    )


def lines(rows: Sequence[Row]) -> list[str]:
    """Every stream, worst first."""
    ranked = worst_first(rows)
    out = [COLUMNS]
    for row in ranked:
        out.append(_line(row))
        for text in sentences(row):
            out += textwrap.wrap(text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT + "  ")
    return out


def faults(rows: Sequence[Row], room: int) -> list[str]:
    """For the overview: a line for each stream that is bad, worst first. `room`: columns."""
    bad = [row for row in worst_first(rows) if is_bad(row)]
    names = [between(row, short=True) for row in bad]
    width = min(max(map(len, names), default=0), room // 2)
    return [f"{name:<{width}}  {_trouble(row, room - width - 2)}" for name, row in zip(names, bad, strict=True)]


def lost_by_capture(rows: Sequence[Row]) -> list[str]:
    """For the overview: what the capture itself lost, by the rows of "quality"."""
    measures = {row["measure"]: row["value"] for row in rows}
    unseen = measures.get("tcp_bytes_unseen", 0)
    shared = round(measures.get("stream_packets_missing_together", 0))
    out = []
    if unseen:
        out.append(f"the capture lost {units.size(unseen)} that TCP receivers acknowledged (--section quality)")
    if shared:
        out.append(f"the capture most likely lost {units.counted(shared, 'packet')} of many streams at once")
    return out


def verdict(measures: dict[str, float]) -> list[str]:
    """Sentences on what is missing in the capture and whose loss it is. `measures`: values of the table "quality"."""

    def value(name: str) -> int:
        return round(measures.get(name, 0))

    dropped, unseen = value("packets_dropped"), value("tcp_bytes_unseen")
    streams, missing = value("streams"), value("stream_packets_missing")
    shared, alone = value("stream_packets_missing_together"), value("stream_packets_missing_alone")
    out = []
    if dropped:
        out.append(f"The capturing machine noted {units.counted(dropped, 'packet')} that it dropped.")
    if unseen:
        out.append(f"TCP receivers acknowledged {units.size(unseen)} that the capture lost on its own.")
    if missing:
        text = f"{units.counted(missing, 'packet')} missing in {units.counted(streams, 'media stream')}"
        moments = units.counted(value("stream_moments_of_loss"), "moment")
        if shared:
            text += f"; {shared:,} at {moments} when many streams lost: most likely the capture's"
        if alone:
            text += f"; {alone:,} in single streams: their paths' or their cameras'"
        out.append(f"{text}.")
    elif streams:
        out.append(f"No packet is missing in {units.counted(streams, 'media stream')}.")
    return [line for text in out for line in textwrap.wrap(text, WIDTH, subsequent_indent="  ")]


def between(row: Row, *, short: bool = False) -> str:
    """`10.1.0.20:6970 > 10.1.0.5:3456`; short without the sender's port."""

    def end(which: str, port: bool) -> str:
        address = printable(row[f"{which}_address"])
        if not port:
            return address
        return f"[{address}]:{row[f'{which}_port']}" if ":" in address else f"{address}:{row[f'{which}_port']}"

    return f"{end('sender', not short)} > {end('receiver', True)}"


def sentences(row: Row) -> list[str]:
    """What is wrong with a stream, and what its receiver says; empty when there is nothing."""
    out = []
    if row["lost"]:
        out.append(
            f"{units.percent(row['loss'])} lost in the capture: {row['lost']:,} of {row['expected']:,} packets, "
            f"{_burst(row)}"
        )
        out += whose(row)
    if row["cc_errors"]:
        out.append(f"MPEG-TS: {units.counted(row['cc_errors'], 'break')} of the continuity counters")
    if row["restarts"]:
        out.append(f"sequence numbers began anew {_times(row['restarts'])}")
    if _shaky(row):
        mean, most = _jitter(row)
        out.append(f"jitter {mean:.1f} ms, at most {most:.1f} ms{_by_clock(row)}")
    if _silent(row):
        out.append(f"silent for {units.span(round(row['longest_silence_s'] * 1e9))} at the longest")
    twice, late = row["duplicates"], row["reordered"]
    if twice > DUPLICATES * row["packets"]:
        out.append(f"{units.counted(twice, 'packet')} more than once: a mirror's copies, or sent again")
    if late:
        out.append(f"{units.counted(late, 'packet')} out of order")
    if row["reports"]:
        said = [f"up to {units.percent(row['reported_loss'])} lost" if row["reported_loss"] else "no loss"]
        said += [f"{row['reported_lost']:,} packets in all"] if (row["reported_lost"] or 0) > 0 else []
        said += [f"jitter {row['reported_jitter_ms']:.1f} ms"] if row["reported_jitter_ms"] is not None else []
        where = ": behind the point of capture" if row["reported_loss"] and not row["lost"] else ""
        out.append(f"the receiver reports {', '.join(said)} (RTCP){where}")
    return out


def whose(row: Row) -> list[str]:
    """Whether a stream's loss is the capture's or its own, in words."""
    shared, alone = row["lost_with_others"], row["lost_alone"]
    if shared is None:
        return []
    if shared and not alone:
        return ["all of it while other streams lost too: most likely the capture missed it"]
    if shared:
        return [
            f"{shared:,} while other streams lost too, most likely missed by the capture; "
            f"{alone:,} in this stream alone: the path's or the camera's"
        ]
    return ["in this stream alone: the path's or the camera's"]


def _line(row: Row) -> str:
    lost = units.percent(row["loss"]) if row["lost"] else "none"
    burst = units.number(row["longest_burst_lost"]) if row["lost"] else ""
    if row["kind"] == "mpegts":
        lost, burst = (f"{row['cc_errors']:,} cc" if row["cc_errors"] else "none"), ""
    mean = _jitter(row)[0]
    jitter = "" if mean is None else f"{mean:.1f} ms"
    codec = printable(row["codec"]) or ("?" if row["payload_type"] is None else f"PT {row['payload_type']}")
    return f"{lost:>6}  {burst:>5}  {jitter:>8}  {units.rate(row['mean_bps']):>11}  {codec:<5}  {between(row)}"


def _trouble(row: Row, room: int) -> str:
    """The worst of a stream in a few words, fewer when there is little room."""
    if row["lost"]:
        lost, burst = f"{units.percent(row['loss'])} lost, ", _burst(row)
        too = " (others too)" if (row["lost_with_others"] or 0) > (row["lost_alone"] or 0) else ""
        tries = (lost + burst + too, lost + burst.rpartition(", ")[2] + too, lost + burst.rpartition(", ")[2])
        return next((text for text in tries if len(text) <= room), tries[-1])
    if row["reported_loss"]:
        return f"its receiver reports up to {units.percent(row['reported_loss'])} lost"
    if row["cc_errors"]:
        return f"MPEG-TS: {units.counted(row['cc_errors'], 'break')} of the counters"
    if row["restarts"]:
        return f"began anew {_times(row['restarts'])}"
    if _silent(row):
        return f"silent for {units.span(round(row['longest_silence_s'] * 1e9))}"
    return f"jitter up to {_jitter(row)[1]:.0f} ms{_by_clock(row)}"


def _burst(row: Row) -> str:
    worst = row["worst_loss_ns"]
    when = f", worst at {units.moment(worst)[-8:]}" if worst is not None else ""
    longest = row["longest_burst_lost"]
    return (f"up to {longest:,} in a row" if longest > 1 else "one at a time") + when


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _jitter(row: Row) -> tuple[Any, Any]:
    """(mean, highest) jitter in ms, per picture where there are pictures: packets of one share a time stamp."""
    if row["frame_jitter_ms"] is not None:
        return row["frame_jitter_ms"], row["max_frame_jitter_ms"]
    return row["jitter_ms"], row["max_jitter_ms"]


def _shaky(row: Row) -> bool:
    most = _jitter(row)[1]
    return most is not None and most > JITTER_MS


def _silent(row: Row) -> bool:
    frame_s = 1 / row["frames_per_second"] if row["frames_per_second"] else 0.0
    return bool(row["longest_silence_s"] > max(SILENCE_S, SILENCE_FRAMES * frame_s))


def _by_clock(row: Row) -> str:
    return f" by an assumed clock of {row['clock_rate']:,} Hz" if row["clock_basis"] == "assumed" else ""
