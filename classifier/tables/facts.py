"""What every table is computed from, each intermediate result once, and the sums they share.

In: a pass, its labels, the signatures. Out: `Facts`. Next: the other modules of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from classifier.capture.model import Problem, counted
from classifier.tables.addresses import Addresses
from classifier.tables.losses import Losses, stream_losses
from classifier.tables.rates import SECOND_NS, Rates

if TYPE_CHECKING:
    from classifier.engine import Pass
    from classifier.matching import Attribution, SignatureSet

Array = npt.NDArray[Any]
Columns = dict[str, Any]

PRODUCTS_LAST = ("other", "network", "unclassified")
PRODUCTS_FIRST = ("digifort", "digital_sentry")

_NEVER_NS = np.iinfo("i8").max


@dataclass(frozen=True)
class Limit:
    """A table that shows only part of what there is."""

    section: str
    listed: int
    total: int


@dataclass(frozen=True)
class View:
    """How time is to be shown: the width of the timeline's bins (None: a fitting one), the speed of the link."""

    bin_ns: int | None = None
    link_bps: int | None = None


@dataclass
class Facts:
    """What every table is computed from, each intermediate result once."""

    read: Pass
    signatures: SignatureSet
    labels: Attribution
    limits: dict[str, Limit] = field(default_factory=dict)
    view: View = View()

    @cached_property
    def addresses(self) -> Addresses:
        """The distinct addresses of the flows."""
        return Addresses(self.read.flows)

    @cached_property
    def names(self) -> dict[str, str]:
        """Host names by address, from the captures' name resolution blocks; the first one said counts."""
        said: dict[str, str] = {}
        for info in self.read.captures:
            for address, name in info.names.items():
                said.setdefault(address, name)
        return said

    @cached_property
    def flow_names(self) -> list[str]:
        """Per flow the name that its payload gives, empty without one."""
        from classifier.tables.names import flow_names

        return flow_names(self)

    @cached_property
    def totals(self) -> dict[str, Any]:
        """Sums over all flows and frames, so that component rows sum to them."""
        flows, links = self.read.flows, self.read.links
        first = min([*flows.first_ns[:1].tolist(), *links.first_ns.tolist()], default=None)
        last = max([int(t.max()) for t in (flows.last_ns, links.last_ns) if len(t)], default=None)
        if len(flows):
            first = min(int(flows.first_ns.min()), first if first is not None else _NEVER_NS)
        return {
            "packets": total(flows.orig_packets, flows.resp_packets, links.packets),
            "wire_bytes": total(flows.orig_wire, flows.resp_wire, links.wire),
            "captured_bytes": total(flows.captured, links.captured),
            "ip_bytes": total(flows.orig_ip, flows.resp_ip),
            "flows": len(flows),
            "first_ns": first,
            "last_ns": last,
            "duration_ns": last - first if first is not None and last is not None else 0,
        }

    @cached_property
    def problems(self) -> list[Problem]:
        """What went wrong as a whole: limits that were reached, and where the capture contradicts the user."""
        problems = list(self.read.problems)
        if self.labels.roles_left_out:
            text = f"{counted(self.labels.roles_left_out, 'role')} of hosts left out, too many to keep"
            problems.append(Problem("role_cap", 0, 0, text))
        for item in self.labels.disputes:
            problems.append(Problem(item.code, item.record, 0, item.message))
        return problems

    @property
    def seconds(self) -> float:
        """Duration that mean rates are taken over: one second when all packets have the same time."""
        return (self.totals["duration_ns"] or SECOND_NS) / SECOND_NS

    @cached_property
    def owner(self) -> Array:
        """Component index per tally row, -1 where a row is in no table."""
        flows, links = self.read.flows, self.read.links
        rows = max([-1, *(int(t.row.max()) for t in (flows, links) if len(t))]) + 1
        if len(self.read.bins):
            rows = max(rows, int(self.read.bins["flow"].max()) + 1)
        owner = np.full(rows, -1, "i4")
        owner[flows.row] = self.labels.component
        owner[links.row] = self.labels.link_component
        return owner

    @cached_property
    def flow_of_row(self) -> Array:
        """Flow id per tally row, -1 where a row is no flow's."""
        flow = np.full(len(self.owner), -1, "i8")
        flow[self.read.flows.row] = np.arange(len(self.read.flows))
        return flow

    @cached_property
    def losses(self) -> Losses | None:
        """Whose loss it is, by row of `Pass.streams.rows`; None when the time bins are too wide to tell."""
        return stream_losses(self)

    @cached_property
    def rates(self) -> Rates:
        """Bytes per component over time."""
        totals = self.totals
        return Rates(self.read.bins, self.read.bin_width_ns, self.owner, totals["first_ns"], totals["last_ns"])

    def product(self, component: int) -> str:
        """Product of a component index."""
        return self.signatures.product_of(self.labels.components[component])

    def limit(self, section: str, listed: int, there_are: int) -> None:
        """Note that `section` shows `listed` of `there_are`; forgotten when that is all."""
        if there_are > listed:
            self.limits[section] = Limit(section, listed, there_are)


def total(*parts: Array) -> int:
    """Sum of integer columns, exact."""
    return sum(int(part.sum(dtype="i8")) for part in parts)


def sums(keys: Array, values: Array, size: int) -> Array:
    """(size,) i8: sum of `values` per key, exact (no floats: a lying length can be 4 GB)."""
    out = np.zeros(size, "i8")
    np.add.at(out, keys, values.astype("i8", copy=False))
    return out


def lowest(keys: Array, values: Array, size: int) -> Array:
    """(size,) i8: minimum of `values` per key."""
    out = np.full(size, np.iinfo("i8").max, "i8")
    np.minimum.at(out, keys, values.astype("i8", copy=False))
    return out


def highest(keys: Array, values: Array, size: int) -> Array:
    """(size,) i8: maximum of `values` per key."""
    out = np.full(size, np.iinfo("i8").min, "i8")
    np.maximum.at(out, keys, values.astype("i8", copy=False))
    return out


def share(part: int, whole: int) -> float:
    """`part` of `whole`, 0 when there is nothing."""
    return round(part / whole, 9) if whole else 0.0


def bps(wire_bytes: int, seconds: float) -> float:
    """Mean bits per second."""
    return round(wire_bytes * 8 / seconds, 3)


def product_rank(product: str) -> tuple[int, str]:
    """Sort key: the two products this is about, then a user's own, then everything else."""
    if product in PRODUCTS_FIRST:
        return PRODUCTS_FIRST.index(product), ""
    if product in PRODUCTS_LAST:
        return 10 + PRODUCTS_LAST.index(product), ""
    return 5, product


def picked(names: Sequence[str], index: Array) -> Array:
    """Object array of `names[index]`."""
    return np.array([*names, ""], object)[:-1][index]
