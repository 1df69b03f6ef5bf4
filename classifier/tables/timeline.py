"""The capture over time: the timeline, its busiest seconds, bursts, and what a link makes of it.

In: `Facts`, and a `View`: how wide the timeline's bins shall be, how fast the link is. Out: columns of the table
"timeline", a `Summary` for the screen, the document's `time`. Next: `classifier.report`, `render.screen_timeline`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from classifier.quantities import SECOND
from classifier.tables.facts import Array, Columns, Facts, bps, picked
from classifier.tables.rates import BURST_NS, Peak, grouped, highest_bin

LINES = 120
"""Bins that a timeline of its own choice has at most: what an eye can follow."""
WARN_SHARE = 0.6
"""Above this a link is called busy: video bursts within the second, and what is full for 100 ms drops frames."""
FRAME_OVERHEAD = 24
"""Bytes of a frame on an Ethernet link that no capture holds: preamble 8, gap 12, check sum 4 (IEEE 802.3)."""
BUSIEST = 10

_STEPS = tuple(
    seconds * SECOND
    for seconds in (
        *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
        *(hours * 3600 for hours in (1, 2, 3, 6, 12, 24, 48)),
        *(days * 86_400 for days in (7, 14, 28, 91, 182, 364, 728, 1820)),
    )
)


class Busy(NamedTuple):
    """One of the busiest bins of the capture."""

    start_ns: int
    bps: float
    packets: int
    component: str  # with most bytes of it
    component_bps: float


class Burst(NamedTuple):
    """The highest 100 ms of something, beside the second that they are in."""

    bps: float
    start_ns: int
    second_bps: float

    @property
    def factor(self) -> float:
        """How much higher the burst is than the mean of its second: 1 is even, 10 is all of it in a tenth."""
        return self.bps / self.second_bps if self.second_bps else 0.0


class Link(NamedTuple):
    """How full a link of some speed would have been, per bin of `width_ns` (1 s, wider when the pass's bins are)."""

    bps: int
    width_ns: int
    mean: float  # shares, over the capture's duration
    highest: float
    highest_ns: int
    bins: int  # from the first packet to the last, empty ones too
    bins_above: int  # above WARN_SHARE
    first_above_ns: int | None


def frames_bps(wire: Any, packets: Any, width_ns: int) -> Any:
    """Bits per second that frames take on an Ethernet link, with what no capture holds of them."""
    return (wire + packets * FRAME_OVERHEAD) * (8e9 / width_ns)


def bin_width(facts: Facts) -> int:
    """Width of the timeline's bins: the one asked for, else at least a second and so that there are `LINES` at most.

    Always a multiple of the pass's own bins, which may be wider than what was asked for.
    """
    own = facts.read.bin_width_ns
    asked = facts.view.bin_ns
    if asked is not None:
        return int(-(-asked // own) * own)
    first, last = facts.totals["first_ns"], facts.totals["last_ns"]
    fitting = [step for step in _STEPS if step % own == 0]
    if own > SECOND:
        fitting += [own * m * 10**e for e in range(19) for m in (1, 2, 5) if own * m * 10**e < 1 << 63]
    if first is None:
        return min(fitting)
    return min((width for width in fitting if last // width - first // width < LINES), default=max(fitting))


def timeline(facts: Facts) -> Columns:
    """Packets and wire bytes per time bin and component; only bins that hold packets."""
    rates = facts.rates
    key, start, wire, packets = grouped(rates.component, rates.start_ns, bin_width(facts), rates.wire, rates.packets)
    order = np.lexsort((key, start))
    return {
        "time_ns": start[order],
        "component": picked(facts.labels.components, key[order]),
        "packets": packets[order],
        "wire_bytes": wire[order],
    }


def link_of(facts: Facts) -> Link | None:
    """How full the link was; None when no link is given."""
    speed = facts.view.link_bps
    if speed is None:
        return None
    rates, totals = facts.rates, facts.totals
    width = rates.rate_width_ns
    start, wire, packets = rates.all_together(width)
    if not len(start):
        return Link(speed, width, 0.0, 0.0, 0, 0, 0, None)
    used = frames_bps(wire, packets, width) / speed
    above = np.flatnonzero(used > WARN_SHARE)
    at = int(used.argmax())
    whole = int(wire.sum()) + int(packets.sum()) * FRAME_OVERHEAD
    return Link(
        bps=speed,
        width_ns=width,
        mean=round(bps(whole, facts.seconds) / speed, 9),
        highest=round(float(used[at]), 9),
        highest_ns=int(start[at]),
        bins=totals["last_ns"] // width - totals["first_ns"] // width + 1,
        bins_above=len(above),
        first_above_ns=int(start[above[0]]) if len(above) else None,
    )


def document(facts: Facts) -> dict[str, Any]:
    """The document's `time`: how wide the bins are, and the link when one was given."""
    link = link_of(facts)
    return {
        "bin_width_ns": facts.read.bin_width_ns,
        "timeline_bin_ns": bin_width(facts),
        "link": None if link is None else link._asdict(),
    }


@dataclass
class Summary:
    """The capture over time, for people. `component`: its id; None is everything together."""

    facts: Facts

    @cached_property
    def bin_ns(self) -> int:
        """Width of the timeline's bins."""
        return bin_width(self.facts)

    @property
    def asked_ns(self) -> int | None:
        """The width that was asked for."""
        return self.facts.view.bin_ns

    @property
    def second_ns(self) -> int:
        """Width of the bins that peaks are over: a second, unless the pass's own are wider."""
        return self.facts.rates.rate_width_ns

    @property
    def bursts(self) -> bool:
        """Whether the pass's bins are fine enough for bursts."""
        return self.facts.read.bin_width_ns <= BURST_NS

    @cached_property
    def link(self) -> Link | None:
        """How full the link was."""
        return link_of(self.facts)

    @cached_property
    def _all(self) -> tuple[Array, Array, Array]:
        return self.facts.rates.all_together(self.facts.read.bin_width_ns)

    def _bins(self, component: str | None) -> tuple[Array, Array]:
        """`(start_ns, wire)` in order of time."""
        if component is None:
            return self._all[0], self._all[1]
        rates = self.facts.rates
        where = rates.of(self.facts.labels.components.index(component))
        return rates.start_ns[where], rates.wire[where]

    def mean_bps(self) -> float:
        """Mean of everything over the capture's duration."""
        return bps(self.facts.totals["wire_bytes"], self.facts.seconds)

    def peak(self, component: str | None = None) -> Peak:
        """The highest second."""
        return highest_bin(*self._bins(component), self.second_ns)

    def p95_bps(self, component: str | None = None) -> float:
        """95th percentile of the seconds."""
        return self.facts.rates.peak_and_p95_of(*self._bins(component))[1]

    def burst(self, component: str | None = None) -> Burst:
        """The highest 100 ms, and the second they are in."""
        start, wire = self._bins(component)
        top = highest_bin(start, wire, self.facts.rates.burst_width_ns)
        second = top.start_ns - top.start_ns % self.second_ns
        inside = (start >= second) & (start - second < self.second_ns)
        return Burst(top.bps, top.start_ns, float(wire[inside].sum()) * (8e9 / self.second_ns))

    def slots(self, most: int) -> tuple[int, int, int]:
        """`(first_ns, width_ns, count)` of a curve of `most` characters at most; each is a whole number of bins."""
        first, last = self.facts.totals["first_ns"], self.facts.totals["last_ns"]
        if first is None:
            return 0, self.bin_ns, 0
        low, high = first // self.bin_ns, last // self.bin_ns
        each = -(-(high - low + 1) // most)
        return low * self.bin_ns, each * self.bin_ns, (high - low) // each + 1

    def curve(self, component: str | None, most: int) -> list[float]:
        """Bits per second of the highest bin of each slot."""
        begin, width, count = self.slots(most)
        start, wire = self._bins(component)
        _, start, sums, _ = grouped(np.zeros(len(start), "i8"), start, self.bin_ns, wire, np.ones(len(start), "i8"))
        tops = np.zeros(count, "i8")
        np.maximum.at(tops, (start - begin) // width, sums)
        return [float(v) for v in tops * (8e9 / self.bin_ns)]

    def busiest(self) -> list[Busy]:
        """The busiest seconds, most bytes first."""
        facts, width = self.facts, self.second_ns
        start, wire, packets = facts.rates.all_together(width)
        top = np.lexsort((start, -wire))[:BUSIEST]
        rates = facts.rates
        key, at, mine, _ = grouped(rates.component, rates.start_ns, width, rates.wire, rates.packets)
        order = np.lexsort((-mine, at))  # the most of each bin first, then by component
        at, key, mine = at[order], key[order], mine[order]
        first = np.searchsorted(at, start[top])
        to_bps = 8e9 / width
        return [
            Busy(
                int(start[i]),
                float(wire[i]) * to_bps,
                int(packets[i]),
                facts.labels.components[int(key[k])],
                float(mine[k]) * to_bps,
            )
            for i, k in zip(top.tolist(), first.tolist(), strict=True)
        ]

    def totals(self) -> list[tuple[int, int, int]]:
        """`(start_ns, packets, wire_bytes)` of everything, per bin of the timeline that holds packets."""
        start, wire, packets = self.facts.rates.all_together(self.bin_ns)
        return list(zip(start.tolist(), packets.tolist(), wire.tolist(), strict=True))
