"""What a capture says about its own making: copies, giants, small frames, times that jump, clocks that differ.

In: PACKET rows per batch, with their buffers. Out: `Watched`, part of a pass. Next: `classifier.findings` (CAP).

Batch size does not change a result: the last `WINDOW` packets are carried over. `flows.copies` holds the kernels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.arrays import distinct
from classifier.columns import BATCH, PACKET
from classifier.flows import copies as c
from classifier.jit import view

Array = npt.NDArray[Any]

SAMPLE = 63
"""Packets whose key ends in so many zero bits (all of them, by mask) are compared between captures: one in 64."""
MAX_SAMPLES = 1 << 20
ENOUGH_MATCHES = 8
"""Packets in two captures from which their clocks can be compared."""
ALIKE_NS = 20_000_000
"""Differences of two clocks that count as the same."""


@dataclass(frozen=True, slots=True)
class Offset:
    """How far capture `second` is ahead of `first` (indexes), from `matches` packets that are in both."""

    first: int
    second: int
    ns: int
    matches: int


@dataclass(frozen=True, slots=True)
class Watched:
    """The sums. Counts are packets unless named otherwise.

    `exact`: copies with the TTL of the first, `relinked` of these in another VLAN, tunnel or between other MAC
    addresses; `routed`: with another TTL; `across`: copies that are in another file. `first_copy`: (capture, record).
    `giants`: IP packets above 1500 bytes, `giant_segments` what they stand for, `giant_macs` MAC addresses that are an
    end of all beyond jumbo size. `events`: EVENT rows, `event_count` how many there were. `macs`: MAC rows.
    """

    packets: int
    judged: int
    exact: int
    exact_wire: int
    relinked: int
    routed: int
    routed_wire: int
    across: int
    first_copy: tuple[int, int]
    giants: int
    giant_segments: int
    largest: int
    beyond_jumbo: int
    giant_macs: tuple[int, ...]
    events: Array
    event_count: int
    macs: Array
    offsets: list[Offset] = field(default_factory=list)

    @property
    def copies(self) -> int:
        """Packets that are there again."""
        return self.exact + self.routed

    @property
    def copied_wire(self) -> int:
        """Their wire bytes."""
        return self.exact_wire + self.routed_wire


class Watch:
    """The arrays of one pass over `captures` files."""

    def __init__(self, captures: int, kernels: Any) -> None:
        self.kernels = kernels
        self.state = np.zeros(c.STATE_SIZE, "i8")
        self.last = np.full(max(captures, 1), -(2**63), "i8")
        self.events = np.zeros(c.MAX_EVENTS, c.EVENT)
        self.macs = np.zeros(c.MAX_MACS, c.MAC)
        self.past = np.zeros(c.WINDOW, PACKET)
        self.slots = np.full(c.SLOTS + 1, -c.WINDOW, "i8")
        self.keys, self.heads, self.marks = _room(BATCH)
        self.compare = captures > 1
        self.samples: list[Array] = []
        self.sampled = 0

    def look(self, packets: Array, buffers: Sequence[tuple[Any, Array]]) -> None:
        """Count a batch: PACKET rows in reading order, and the buffers of their payloads with their row numbers."""
        n, kernels = len(packets), self.kernels
        if not n:
            return
        if n + c.WINDOW > len(self.keys):
            keys, heads = self.keys[: c.WINDOW], self.heads[: c.WINDOW]
            self.keys, self.heads, self.marks = _room(n)
            self.keys[: c.WINDOW], self.heads[: c.WINDOW] = keys, heads
        found = kernels.look_at_rows(
            packets, n, self.keys, self.slots, self.marks, self.state, self.last, self.events, self.macs
        )
        first = view(buffers[0][0], kernels.compiled)
        chosen = self._choose(n)
        alone = not found and len(buffers) == 1 and not len(chosen)
        if not alone:  # heads also of the last ones: the next batch may have their copies
            self.marks[max(c.WINDOW, n) : c.WINDOW + n] |= c.TAIL
            self.marks[c.WINDOW + chosen] |= c.TAIL
            for buffer, rows in buffers:
                kernels.hash_heads(view(buffer, kernels.compiled), packets, rows, len(rows), self.marks, self.heads)
            if found:
                kernels.count_copies(packets, n, self.past, self.keys, self.heads, self.marks, self.state)
            self.marks[: c.WINDOW + n] = 0
        if len(chosen):
            self._sample(packets, chosen)
        kernels.keep_last(first, packets, n, int(alone), self.keys, self.heads, self.past)

    def _choose(self, n: int) -> Array:
        """Packets of this batch that are kept to compare captures, by their key: the same in all of them."""
        if not self.compare or self.sampled >= MAX_SAMPLES:
            return np.zeros(0, "i8")
        keys = self.keys[c.WINDOW : c.WINDOW + n]
        return np.flatnonzero(((keys >> 1 & SAMPLE) == 0) & (keys != 0))[: MAX_SAMPLES - self.sampled]

    def _sample(self, packets: Array, chosen: Array) -> None:
        rows = np.empty((len(chosen), 3), "i8")
        rows[:, 0] = self.keys[c.WINDOW + chosen].astype("i8") << 31 | self.heads[c.WINDOW + chosen] >> 1
        rows[:, 1], rows[:, 2] = packets["capture"][chosen], packets["ts_ns"][chosen]
        self.samples.append(rows)
        self.sampled += len(rows)

    def finish(self) -> Watched:
        """The sums."""
        s = [int(value) for value in self.state]
        ends = {s[c.GIANT_A], s[c.GIANT_B]} - {0} if s[c.BEYOND_JUMBO] else set()
        return Watched(
            packets=s[c.PACKETS],
            judged=s[c.JUDGED],
            exact=s[c.EXACT],
            exact_wire=s[c.EXACT_WIRE],
            relinked=s[c.RELINKED],
            routed=s[c.ROUTED],
            routed_wire=s[c.ROUTED_WIRE],
            across=s[c.ACROSS],
            first_copy=(s[c.FIRST_CAPTURE], s[c.FIRST_RECORD]),
            giants=s[c.GIANTS],
            giant_segments=s[c.SEGMENTS],
            largest=s[c.LARGEST],
            beyond_jumbo=s[c.BEYOND_JUMBO],
            giant_macs=tuple(sorted(ends)),
            events=self.events[: min(s[c.EVENTS], c.MAX_EVENTS)].copy(),
            event_count=s[c.EVENTS],
            macs=self.macs[: s[c.MACS] if s[c.MACS] <= c.MAX_MACS else 0].copy(),
            offsets=clock_offsets(np.concatenate(self.samples)) if self.samples else [],
        )


def _room(rows: int) -> tuple[Array, Array, Array]:
    """Keys, heads and marks of a batch and of the packets before it."""
    size = rows + c.WINDOW
    return np.zeros(size, "u4"), np.zeros(size, "u4"), np.zeros(size, "u1")


def clock_offsets(samples: Array) -> list[Offset]:
    """How far the clocks of captures are apart. `samples`: (n, 3) i8: key, capture, time of some packets.

    A packet counts that is once in each of two captures; the difference that most agree on is their clocks'. Pairs of
    captures without `ENOUGH_MATCHES` such packets, or without half of them agreeing, are left out.
    """
    order = np.lexsort((samples[:, 2], samples[:, 1], samples[:, 0]))
    key, capture, time = samples[order, 0], samples[order, 1], samples[order, 2]
    same = (key[1:] == key[:-1]) & (capture[1:] != capture[:-1])
    again = (key[1:] == key[:-1]) & (capture[1:] == capture[:-1])
    twice = np.zeros(len(key), bool)
    twice[1:] |= again
    twice[:-1] |= again
    at = np.flatnonzero(same)
    at = at[~twice[at] & ~twice[at + 1]]
    pair = capture[at] << 32 | capture[at + 1]
    out = []
    for number in distinct(pair).tolist():
        apart = (time[at + 1] - time[at])[pair == number]
        middle = int(np.sort(apart)[len(apart) // 2])
        agreeing = int((np.abs(apart - middle) <= ALIKE_NS).sum())
        if agreeing >= max(ENOUGH_MATCHES, (len(apart) + 1) // 2):
            out.append(Offset(number >> 32, number & 0xFFFFFFFF, middle, agreeing))
    return out
