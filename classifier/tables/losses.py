"""Whose loss it is: gaps that many streams have at the same instant are the capture's, a gap in one is its path's.

In: per stream and time bin how many packets are missing; from where and how long each stream was sent. Out: `Losses`:
per stream the packets lost together with others and those lost alone. Next: the tables "streams" and "quality".

A machine that captures too slowly, or a mirror port with too little room, loses packets of whatever passes at that
moment; a camera, its cable or its switch loses its own. So gaps count as the capture's where, in two neighbouring bins
(one moment may lie on their border, and a stream shows a gap only with its next packet), at least

* `STREAMS` streams have one, from at least `SENDERS` senders (the streams of one camera share its cable),
* these are at least `SHARE` of the streams that are on at that time,
* and `CHANCE` times as many as there would be if each stream's gaps fell where they like: streams that lose packets
  all the time, each for itself, meet by accident.

It can also be a link that all of these streams share, so the words for people are "most likely". Data that a TCP
receiver acknowledged and the capture does not have are a proof, where there is TCP.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from classifier.arrays import distinct

if TYPE_CHECKING:
    from classifier.tables.facts import Facts

Array = npt.NDArray[Any]

STREAMS = 3
SENDERS = 2
SHARE = 0.5
CHANCE = 2.5
WIDEST_NS = 1_000_000_000
"""Time bins wider than this tell nothing of instants."""


@dataclass(frozen=True, slots=True)
class Losses:
    """Packets lost, per stream: `with_others` and `alone`, (streams,) i8. `moments`: instants of the former.

    `stream`, `bin_ns`, `lost`, `together`: one entry per stream and time bin in which packets are missing in the end,
    by stream and time.
    """

    with_others: Array
    alone: Array
    moments: int
    stream: Array
    bin_ns: Array
    lost: Array
    together: Array

    def worst_ns(self, stream: int) -> int | None:
        """Beginning of the bin in which most packets of a stream are missing, the first of equals; None without any."""
        low, high = np.searchsorted(self.stream, [stream, stream + 1])
        if low == high:
            return None
        return int(self.bin_ns[low + int(np.argmax(self.lost[low:high]))])


def losses(
    stream: Array, bin_ns: Array, lost: Array, width_ns: int, sender: Array, first_ns: Array, last_ns: Array
) -> Losses:
    """Tell apart the gaps of streams.

    `stream`, `bin_ns`, `lost`: (bins,) integers, in any order; bins without a loss may be left out. A negative `lost`
    tells of packets that came late after all: they are taken from the last gaps before. `sender` (numbers of any
    kind), `first_ns`, `last_ns`: (streams,) i8.
    """
    stream, number, lost = _gaps(stream, bin_ns, lost, width_ns)
    with_others, alone = np.zeros(len(sender), "i8"), np.zeros(len(sender), "i8")
    common = _common(stream, number, sender, first_ns // width_ns, last_ns // width_ns)
    together = np.isin(number, common) | np.isin(number - 1, common)
    np.add.at(with_others, stream[together], lost[together])
    np.add.at(alone, stream[~together], lost[~together])
    held = distinct(number[together])
    moments = int(len(held) and 1 + (np.diff(held) > 1).sum())
    return Losses(with_others, alone, moments, stream, number * width_ns, lost, together)


def stream_losses(facts: Facts) -> Losses | None:
    """The losses of a pass, by row of `Pass.streams.rows`; None when its time bins are too wide to tell.

    Streams that are in no table count for nothing.
    """
    table, flows, addresses = facts.read.streams, facts.read.flows, facts.addresses
    if table.bin_width_ns > WIDEST_NS:
        return None
    rows = table.rows
    flow = facts.flow_of_row[rows["where"] >> 1]
    by_originator = ((rows["where"] & 1) == 1) == flows.turned[flow]
    sender = np.where(by_originator, addresses.orig[flow], addresses.resp[flow])
    known = np.flatnonzero(flow >= 0)
    place = np.full(len(rows), -1, "i8")
    place[known] = np.arange(len(known))
    bins = table.bins[(table.bins["lost"] != 0) & (flow[table.bins["stream"]] >= 0)]
    of_known = losses(
        place[bins["stream"]],
        bins["bin_ns"],
        bins["lost"],
        table.bin_width_ns,
        sender[known],
        rows["first_ns"][known],
        rows["last_ns"][known],
    )
    both = np.zeros((2, len(rows)), "i8")
    both[:, known] = of_known.with_others, of_known.alone
    return dataclasses.replace(of_known, with_others=both[0], alone=both[1], stream=known[of_known.stream])


def _gaps(stream: Array, bin_ns: Array, lost: Array, width_ns: int) -> tuple[Array, Array, Array]:
    """(stream, number of the bin, packets lost) where packets are missing in the end."""
    held = np.flatnonzero(lost)
    held = held[np.lexsort((bin_ns[held], stream[held]))]
    stream, number, lost = stream[held].astype("i8"), bin_ns[held].astype("i8") // width_ns, lost[held].astype("i8")
    if (lost < 0).any():
        left = lost.tolist()
        open_gaps: list[int] = []
        for place, (whose, count) in enumerate(zip(stream.tolist(), left, strict=True)):
            if count > 0:
                open_gaps.append(place)
                continue
            left[place] = 0
            while count < 0 and open_gaps and stream[open_gaps[-1]] == whose:
                filled = min(left[open_gaps[-1]], -count)
                left[open_gaps[-1]] -= filled
                count += filled
                if not left[open_gaps[-1]]:
                    open_gaps.pop()
        lost = np.array(left, "i8")
    there = np.flatnonzero(lost)
    return stream[there], number[there], lost[there]


def _common(stream: Array, number: Array, sender: Array, first: Array, last: Array) -> Array:
    """Numbers b of the bins for which b and b + 1 together hold gaps of enough streams."""
    if len(distinct(stream)) < STREAMS:
        return np.zeros(0, "i8")
    window, of = _pairs(np.concatenate([number, number - 1]), np.concatenate([stream, stream]))
    starts = np.flatnonzero(np.concatenate(([True], window[1:] != window[:-1])))
    windows, streams = window[starts], np.diff(np.append(starts, len(window)))
    from_window, _ = _pairs(window, sender[of])
    senders = np.searchsorted(from_window, windows, "right") - np.searchsorted(from_window, windows, "left")
    # a stream is on from the window before its first bin, which holds that bin as well
    first, last = np.minimum(first, last) - 1, np.maximum(first, last)
    often = np.bincount(of, minlength=len(sender)) / (last - first + 1)
    active = _held(first, last, np.ones(len(sender)), windows)
    by_chance = _held(first, last, often, windows)
    enough = (streams >= STREAMS) & (senders >= SENDERS)
    enough &= (streams >= SHARE * active) & (streams >= CHANCE * by_chance)
    return np.asarray(windows[enough])


def _pairs(first: Array, second: Array) -> tuple[Array, Array]:
    """The distinct pairs, in order."""
    order = np.lexsort((second, first))
    first, second = first[order], second[order]
    new = np.concatenate(([True], (first[1:] != first[:-1]) | (second[1:] != second[:-1])))
    return first[new], second[new]


def _held(first: Array, last: Array, weight: Array, at: Array) -> Array:
    """Per entry of `at` the sum of the weights of the streams with `first <= at <= last`."""

    def before(edges: Array, side: Any) -> Array:
        order = np.argsort(edges, kind="stable")
        total = np.concatenate(([0.0], np.cumsum(weight[order])))
        return np.asarray(total[np.searchsorted(edges[order], at, side)])

    return np.asarray(before(first, "right") - before(last, "left"))
