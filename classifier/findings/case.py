"""What rules look at: a report's facts, and the questions that many rules ask of them.

In: a Report. Out: `Case`. Next: the rules. Flows are numbers (rows of the flow table), addresses are numbers of
`tables.addresses`; sets of flows are boolean columns, so that a million flows cost milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

import numpy as np
import numpy.typing as npt

from classifier.arrays import distinct
from classifier.units import counted, moment

if TYPE_CHECKING:
    from classifier.engine import Pass
    from classifier.findings.attempts import Attempts
    from classifier.findings.carried import Carried
    from classifier.findings.groups import Groups
    from classifier.findings.ports import PortRow
    from classifier.findings.ssrp import Discovery
    from classifier.findings.vantage import Vantage
    from classifier.flows.table import FlowTable
    from classifier.matching import Attribution
    from classifier.report import Report
    from classifier.tables.addresses import Addresses
    from classifier.tables.facts import Facts

Array = npt.NDArray[Any]
Asked = TypeVarTuple("Asked")
Kept = TypeVar("Kept")

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
SECOND = 1_000_000_000
NAMED = 5
"""Things named in a sentence; of the rest the number."""


def once(compute: Callable[[Any, *Asked], Kept]) -> Callable[[Any, *Asked], Kept]:
    """A function of a `Case` (or a method) that several rules ask: computed once per object and arguments.

    What it returned is kept in the object and lives as long; nobody may change it.
    """

    @wraps(compute)
    def kept(of: Any, *asked: *Asked) -> Kept:
        known = vars(of).setdefault("_once", {})
        key = (compute, *asked)
        if key not in known:
            known[key] = compute(of, *asked)
        found: Kept = known[key]
        return found

    return kept


class Case:
    """The facts of a report, for rules. `read`: the pass; `flows`: its flow table; `labels`: who owns each flow."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.facts: Facts = report.facts
        self.read: Pass = self.facts.read
        self.flows: FlowTable = self.read.flows
        self.labels: Attribution = self.facts.labels
        self.addresses: Addresses = self.facts.addresses

    @cached_property
    def attempts(self) -> Attempts:
        """What became of connections."""
        from classifier.findings.attempts import Attempts

        return Attempts(self)

    @cached_property
    def carried(self) -> Carried:
        """How well TCP carried the data of each service."""
        from classifier.findings.carried import carried

        return carried(self)

    @cached_property
    def ports(self) -> list[PortRow]:
        """Ports that the products need, by client and server, and whether they work."""
        from classifier.findings.ports import port_rows

        return port_rows(self)

    @cached_property
    def everybody(self) -> Array:
        """(n addresses,) bool: groups, and IPv4 addresses that may be a subnet's broadcast: they end in 255."""
        addresses = self.addresses
        many: Array = addresses.group | (addresses.version == 4) & ((addresses.words[:, 3] & 0xFF) == 0xFF)
        return many

    def sends(self, address: int) -> bool:
        """Whether a host, by its address number, sent anything."""
        flows, addresses = self.flows, self.addresses
        by_orig, by_resp = (addresses.orig == address), (addresses.resp == address)
        return bool((by_orig & (flows.orig_packets > 0) | by_resp & (flows.resp_packets > 0)).any())

    @cached_property
    def product_hosts(self) -> list[str]:
        """Addresses that are the own side of any product's flows, or are by the user's word; sorted."""
        return self.host_texts(self.product_host_numbers)

    @cached_property
    def product_host_numbers(self) -> Array:
        """The same as address numbers."""
        products = {signature.product for signature in self.facts.signatures.signatures}
        return distinct(np.concatenate([np.zeros(0, "i8"), *(self.server_numbers(name) for name in products)]))

    @property
    def duration_ns(self) -> int:
        """From the first packet to the last."""
        return int(self.facts.totals["duration_ns"])

    @property
    def seconds(self) -> float:
        """The same in seconds; 0 when all packets have one time."""
        return self.duration_ns / SECOND

    @cached_property
    def discovery(self) -> Discovery:
        """Who asked which SQL Server Browser, and what it answered."""
        from classifier.findings.ssrp import Discovery

        return Discovery(self)

    @cached_property
    def groups(self) -> Groups:
        """Multicast groups: who sends, who joined, who asks."""
        from classifier.findings.groups import Groups

        return Groups(self)

    @cached_property
    def vantage(self) -> Vantage:
        """Where the capture was taken, and what it can show."""
        from classifier.findings.vantage import vantage

        return vantage(self)

    # -- whose flows

    def owned_by(self, *components: str) -> Array:
        """(n flows,) bool: a component owns them. Failed attempts are nobody's."""
        return self._owned([name in components for name in self.labels.components])

    def of_product(self, product: str) -> Array:
        """(n flows,) bool: a component of the product owns them."""
        return self._owned([self.facts.product(k) == product for k in range(len(self.labels.components))])

    def _owned(self, wanted: Sequence[bool]) -> Array:
        table = np.array([*wanted, False])  # the last one for -1, nobody's
        owned: Array = table[self.labels.component]
        return owned

    def own_address(self, flows: Array) -> Array:
        """Address numbers of the component's own side (its server, as a rule) in flows that it owns."""
        by_orig = self.labels.own_side(flows) == 1
        own: Array = np.where(by_orig, self.addresses.orig[flows], self.addresses.resp[flows])
        return own

    @once
    def hosts_of(self, *components: str) -> list[str]:
        """Addresses that are the own side of flows of these components, and of nothing else the group; sorted."""
        rows = np.flatnonzero(self.owned_by(*components))
        numbers = distinct(self.own_address(rows))
        return self.host_texts(numbers[~self.addresses.group[numbers]])

    @once
    def server_numbers(self, product: str) -> Array:
        """Numbers of addresses that are the own side of any flow of the product, or are by the user's word; sorted."""
        rows = np.flatnonzero(self.of_product(product))
        seen = distinct(self.own_address(rows))
        hosts = self.facts.signatures.hosts
        said = [self.addresses.find(host.address) for host in hosts if host.component.startswith(f"{product}.")]
        known = np.array([number for number in said if number >= 0], "i8")
        return distinct(np.concatenate([seen[~self.addresses.group[seen]], known]))

    def host_texts(self, numbers: Array) -> list[str]:
        """Addresses of ascending numbers as text: that is their order, see `Addresses`."""
        texts: list[str] = self.addresses.texts(numbers).tolist()
        return texts

    @property
    def roles(self) -> dict[str, list[str]]:
        """Role words per address, strongest first."""
        return self.labels.roles

    # -- saying it

    def place(self, address: str) -> str:
        """An address with its name, when the capture gives one: `10.0.0.5 (nvr)`."""
        name = self.facts.names.get(address, "")
        return f"{address} ({name})" if name else address

    def ends(self, flow: int) -> str:
        """A flow's two ends: `10.0.0.9:50123 to 10.0.0.5:8600/tcp`."""
        flows = self.flows
        transport = {TCP: "/tcp", UDP: "/udp"}.get(int(flows.proto[flow]), "")
        orig = joined(self.addresses.text(int(self.addresses.orig[flow])), int(flows.orig_port[flow]))
        resp = joined(self.addresses.text(int(self.addresses.resp[flow])), int(flows.resp_port[flow]))
        return f"{orig} to {resp}{transport}"

    def first_record(self, flows: Iterable[int]) -> int:
        """Record number of the first packet, in time, of some flows; 0 without any."""
        rows = np.fromiter(flows, "i8")
        if not len(rows):
            return 0
        return int(self.flows.first_record[rows[np.argmin(self.flows.first_ns[rows])]])

    def captured_between(self, begin_ns: int, end_ns: int) -> bool:
        """Whether anything was captured between two times; else the capture has a gap, and nobody is to blame."""
        low, high = np.searchsorted(self._bin_times, [begin_ns, end_ns])
        return bool(high > low)

    @cached_property
    def _bin_times(self) -> Array:
        return distinct(self.read.bins["bin_ns"])

    @cached_property
    def start_ns(self) -> int:
        """Time of the first packet, 0 without any."""
        return int(self.facts.totals["first_ns"] or 0)

    def at(self, time_ns: int) -> str:
        """When, as people compare it with a log: `08:13:20.250 UTC`; with the date in captures longer than a day."""
        text = moment(time_ns, digits=3)
        return f"{text if self.duration_ns > 86_400 * SECOND else text[11:]} UTC"


def joined(address: str, port: int) -> str:
    """`10.0.0.5:8600`, `[fd00::5]:8600`."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def listed(things: Sequence[str], noun: str = "", most: int = NAMED) -> str:
    """`a, b and c`; of more than `most`: `a, b, c, d, e and 7 more`; `noun` counts them first."""
    if not things:
        return "none"
    head = f"{counted(len(things), noun)}: " if noun else ""
    if len(things) > most:
        return f"{head}{', '.join(things[:most])} and {len(things) - most:,} more"
    return head + (", ".join(things[:-1]) + " and " if len(things) > 1 else "") + things[-1]


def sorted_addresses(texts: Iterable[str]) -> list[str]:
    """Addresses in numerical order, IPv4 first."""
    from classifier.flows.table import address_words

    return sorted(set(texts), key=address_words)
