"""What a signature is, as plain frozen data.

In: what `loader` read from TOML. Out: `Signature`, `Service` and `SignatureSet`, with the port tables that attribution
and the flow table's direction rule look up. Next: `classifier.matching.attribute`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

GRADES = ("", "probable", "confirmed")
"""How sure a label is. "possible" is no grade: what is only possible is a candidate and owns nothing."""

NO_GRADE, PROBABLE, CONFIRMED = range(3)

TRANSPORTS = {"tcp": 6, "udp": 17}
"""Transport name to IP protocol number."""

LISTENER, PEER = 0, 1
"""The two ends of a labelled flow: the component's own side, and the other side."""
END_NAMES = ("listener", "peer")

EXACT_PORTS = 16
"""A signature of more ports than this is a range."""


@dataclass(frozen=True, slots=True)
class PortSet:
    """A set of ports as sorted, disjoint inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, items: Sequence[int | str]) -> PortSet:
        """Ports from numbers and texts such as `"3000-5000"`; raises ValueError on what is neither, or out of range."""
        spans = []
        for item in items:
            low, _, high = str(item).partition("-")
            first, last = int(low), int(high or low)
            if not 0 < first <= last <= 65535:
                raise ValueError(f"no port or range of ports: {item}")
            spans.append((first, last))
        spans.sort()
        merged: list[tuple[int, int]] = []
        for first, last in spans:
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    def __contains__(self, port: int) -> bool:
        return any(low <= port <= high for low, high in self.ranges)

    def __len__(self) -> int:
        return sum(high - low + 1 for low, high in self.ranges)

    def mask(self) -> Array:
        """65,536 bools, true for the ports of the set."""
        table = np.zeros(65536, bool)
        for low, high in self.ranges:
            table[low : high + 1] = True
        return table

    def text(self) -> str:
        """`"80, 3000-5000"`; empty for no ports."""
        return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in self.ranges)


@dataclass(frozen=True, slots=True)
class Hold:
    """A role that supports a signature: being an end of a flow that a component owns."""

    component: str  # a component id, or "product.*": any component of it that needs no support itself
    end: str  # "listener", "peer" or "either"

    def text(self) -> str:
        return self.component if self.end == "either" else f"{self.component}:{self.end}"


@dataclass(frozen=True, slots=True)
class Support:
    """A signature holds when the host at `end` holds one of the roles elsewhere in the capture."""

    end: str  # "listener", "peer" or "either": of the flow to be labelled
    holds: tuple[Hold, ...]
    who: str = ""  # the roles in words: "a Digifort server"


@dataclass(frozen=True, slots=True)
class PeerIs:
    """A program that the peers of a component are, when they hold one of these roles, and none of those."""

    role: str
    holds: tuple[Hold, ...]
    unless: tuple[Hold, ...] = ()


@dataclass(frozen=True, slots=True)
class KnownHost:
    """What the user knows of a site: this host listens for that component."""

    address: str  # as `address_text` writes it
    component: str
    origin: str  # the file, or the option, that says so


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What takes a flow away from a signature, and why."""

    reason: str
    ports: PortSet = field(default_factory=lambda: PortSet(()))
    transport: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact stands: a document of the same file, its section, and the words."""

    document: str
    section: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact from another document than the product's own."""

    text: str
    document: str = ""


@dataclass(frozen=True, slots=True)
class Signature:
    """What identifies one component of a product. Field meanings: `signatures/README.md`."""

    id: str
    name: str
    transport: str
    ports: PortSet = field(default_factory=lambda: PortSet(()))
    groups: tuple[str, ...] = ()
    match: str = "responder"
    to_group: bool = False
    either_initiates: bool = False
    server_is: str = "listener"
    listens: str = ""
    direction: str = ""
    carries: str = ""
    listener_role: str = ""
    peer_role: str = ""
    changeable: str = "unstated"
    required: str = "unstated"
    generic: bool = False
    alone: str = "probable"
    other_port: str = "any"
    other_services: tuple[str, ...] = ()
    otherwise: str = ""
    max_grade: str = "confirmed"
    content: tuple[str, ...] = ()
    content_at_port: tuple[str, ...] = ()
    content_alone: tuple[str, ...] = ()
    contradicted_by: tuple[str, ...] = ()
    learned_by: tuple[str, ...] = ()  # "ssrp": announced SQL ports, "rtsp": ports that sessions name for their media
    excludes: tuple[Exclusion, ...] = ()
    support: tuple[Support, ...] = ()
    peer_is: PeerIs | None = None
    sources: tuple[Source, ...] = ()
    facts: tuple[Fact, ...] = ()
    ours: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: str = ""  # the file it was defined in
    overridden: tuple[tuple[str, str], ...] = ()  # (key, file) of each field that a later file changed

    @property
    def product(self) -> str:
        return self.id.partition(".")[0]

    @property
    def protocol(self) -> int:
        """IP protocol number."""
        return TRANSPORTS[self.transport]

    @property
    def is_learned(self) -> bool:
        """Whether its ports are known only from content, if the user does not know one."""
        return self.match == "learned" or "ssrp" in self.learned_by

    @property
    def is_range(self) -> bool:
        """Whether its ports are a range: other programs' ephemeral ports too, so never a sign of who listens."""
        return len(self.ports) > EXACT_PORTS or self.match == "receiver" or self.alone == "stream"

    @property
    def specificity(self) -> int:
        """Higher wins: a group before a port, fewer ports before more."""
        return (65536 if self.groups else 0) + (65536 - len(self.ports))

    def excluded_ports(self) -> PortSet:
        """Ports that other services own inside this signature's own."""
        ranges = [span for item in self.excludes for span in item.ports.ranges]
        return PortSet.of([f"{low}-{high}" for low, high in ranges])

    def where(self) -> str:
        """Transport, ports and groups in short: `"udp 8650 at 225.0.0.100"`."""
        ports = self.ports.text() or "learned port"
        return f"{self.transport} {ports}" + (f" at {', '.join(self.groups)}" if self.groups else "")


@dataclass(frozen=True, slots=True)
class Service:
    """One row of the curated table of everything else; its component id is `other.<id>`."""

    id: str
    label: str
    tcp: tuple[int, ...] = ()
    udp: tuple[int, ...] = ()
    groups: tuple[str, ...] = ()
    iana: str = ""
    needs_role: bool = False
    role: str = ""
    content: tuple[str, ...] = ()
    content_first: bool = False
    notes: str = ""
    origin: str = ""

    @property
    def component(self) -> str:
        return f"other.{self.id}"

    def ports(self, transport: str) -> tuple[int, ...]:
        return self.tcp if transport == "tcp" else self.udp


@dataclass(frozen=True, slots=True)
class Product:
    """A product, with the documents its signatures quote."""

    id: str
    name: str
    notes: tuple[str, ...] = ()
    documents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Learned:
    """An endpoint that content named: where a component listens although no port says so."""

    component: str
    address: str
    port: int
    transport: str  # "tcp" or "udp"
    by: str  # "ssrp", "rtsp" or "content"
    instance: str = ""
    version: str = ""
    first_ns: int = 0
    capture: int = 0
    record: int = 0


_KINDS = {"other": "other", "network": "network", "unclassified": "unclassified"}
_UNCLASSIFIED_NAMES = {
    "tcp": "unclassified TCP",
    "udp": "unclassified UDP",
    "ip": "unclassified IP",
    "link": "unclassified frames",
}


@dataclass(frozen=True)
class SignatureSet:
    """All products, signatures and services in force."""

    products: tuple[Product, ...]
    signatures: tuple[Signature, ...]
    services: tuple[Service, ...]
    files: tuple[str, ...] = ()
    hosts: tuple[KnownHost, ...] = ()

    @cached_property
    def _by_id(self) -> dict[str, Signature]:
        return {item.id: item for item in self.signatures}

    @cached_property
    def _services(self) -> dict[str, Service]:
        return {item.component: item for item in self.services}

    @cached_property
    def _products(self) -> dict[str, Product]:
        return {item.id: item for item in self.products}

    def get(self, component: str) -> Signature | None:
        """The signature of a component id, None when no product has it."""
        return self._by_id.get(component)

    def service(self, component: str) -> Service | None:
        """The service of a component id such as `"other.dns"`."""
        return self._services.get(component)

    def product(self, product: str) -> Product | None:
        return self._products.get(product)

    def product_of(self, component: str) -> str:
        """Product id of a component id; "other", "network" or "unclassified" for what is no product's."""
        head = component.partition(".")[0]
        return _KINDS.get(head, head)

    def name_of(self, component: str) -> str:
        """The component's name for people."""
        signature = self._by_id.get(component)
        if signature is not None:
            return signature.name
        service = self._services.get(component)
        if service is not None:
            return service.label
        head, _, tail = component.partition(".")
        if head == "unclassified":
            return _UNCLASSIFIED_NAMES.get(tail, component)
        return tail.replace("_", " ").upper() if head == "network" else component

    @cached_property
    def service_table(self) -> dict[str, Array]:
        """Per transport, 65,536 i2: index of the service that has the port, -1 where none has it."""
        tables = {}
        for transport in TRANSPORTS:
            table = np.full(65536, -1, "i2")
            for index, service in enumerate(self.services):
                table[list(service.ports(transport))] = index
            tables[transport] = table
        return tables

    @cached_property
    def listening(self) -> dict[str, Array]:
        """See `service_ports`."""
        tables = {transport: np.zeros(65536, bool) for transport in TRANSPORTS}
        for service in self.services:
            if not service.needs_role:
                for transport, table in tables.items():
                    table[list(service.ports(transport))] = True
        for signature in self.signatures:
            # 8660 is "generic" only in that it needs support; it is still one side's fixed port
            if not signature.is_range and not signature.groups:
                tables[signature.transport] |= signature.ports.mask()
        for table in tables.values():
            table.flags.writeable = False
        return tables


def service_ports(signatures: SignatureSet) -> dict[str, Array]:
    """Ports that tell which side listens when no handshake does: per transport ("tcp", "udp") 65,536 bools.

    True for every signature's and curated service's port; ranges (media input, audio, media groups) and services
    that need a role are left out, for their ports are other programs' ephemeral ports too.
    """
    return signatures.listening
