"""Flows with one outcome, by service: one server's port and the clients that had it.

In: a Case's attempts. Out: `Service`s, those that matter first. Next: rules about connections.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.findings import filters
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Selection

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

MOST = 200
"""Services that are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Service:
    """`clients`: those with the outcome, `flows`: its flow ids in order of time.

    `important`: a product's host or port has part in it. `name`: `8600/tcp (Digifort Server)`.
    """

    server: str
    port: int
    proto: int
    name: str
    clients: tuple[str, ...]
    flows: Array
    important: bool

    def selection(self, case: Case) -> Selection:
        """A display filter: the pair of hosts and the port, or the whole service."""
        if len(self.clients) == 1:
            return filters.of_pair(case, self.clients[0], self.server, self.port, self.proto)
        return filters.of_endpoint(case, self.server, self.port, self.proto)

    def who(self, case: Case) -> str:
        """The client, or how many they are."""
        return case.place(self.clients[0]) if len(self.clients) == 1 else f"{len(self.clients):,} hosts"

    def finding(self, case: Case, flows: Array, title: str, summary: str) -> Finding:
        """What a rule found out about it, with `flows` as the proof."""
        return Finding(
            title=title,
            summary=summary,
            severity="warning" if self.important else "info",
            flow_ids=flows[:FLOWS_OF_A_FINDING].tolist(),
            first_record=case.first_record(flows.tolist()),
            selection=self.selection(case),
        )


def touches_product(case: Case, pairs: Array) -> Array:
    """(k,) bool: pairs with a server of a product, or whose port is a product's own."""
    tried = case.attempts
    hosts = case.product_host_numbers
    would = tried.component[pairs]
    found: Array = (would >= 0) & (would < len(case.facts.signatures.signatures))
    found |= np.isin(tried.server[pairs], hosts) | np.isin(tried.client[pairs], hosts)
    return found


def service_order(case: Case, pairs: Array, weight: Array) -> tuple[Array, Array, Array]:
    """`(order, group, important)`: service of each pair, and services from the most important to the least.

    `weight`: (k,) how much a pair counts within its class.
    """
    tried = case.attempts
    key = tried.server[pairs] << 17 | tried.port[pairs] << 1 | (tried.proto[pairs] == 17)
    services, group = np.unique(key, return_inverse=True)
    important = np.bincount(group, touches_product(case, pairs), len(services)) > 0
    rank = np.bincount(group, weight, len(services))
    return np.lexsort((services, -rank, ~important)), group, important


def by_service(case: Case, outcome: int) -> list[Service]:
    """Services with flows of this outcome, without scans."""
    tried = case.attempts
    pairs = np.flatnonzero((tried.counts[:, outcome] > 0) & ~tried.scanned)
    if not len(pairs):
        return []
    order, group, important = service_order(case, pairs, tried.counts[pairs, outcome])
    return [service(case, pairs[group == k], outcome, bool(important[k])) for k in order[:MOST].tolist()]


def service(case: Case, pairs: Array, outcome: int, important: bool) -> Service:
    """One service of some pairs."""
    tried = case.attempts
    first = tried.pair(int(pairs[0]))
    return Service(
        server=first.server,
        port=first.port,
        proto=first.proto,
        name=tried.service(first),
        clients=tuple(case.addresses.texts(tried.client[pairs]).tolist()),
        flows=tried.flows_of(pairs, outcome),
        important=important,
    )
