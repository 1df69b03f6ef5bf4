"""The ports that a product needs, between whom they were tried, and whether they work.

In: a Case. Out: `PortRow`s (`case.ports`). Next: DGF-CONN-FAIL, DS-PORTS, the report.

A row for every component that a host may listen for, as soon as one of its kind was tried there: a client that reaches
a Digital Sentry server at 18772/tcp has a row for 17772/tcp too, which says that nobody tried it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from classifier.findings import attempts as at
from classifier.findings.model import FLOWS_OF_A_FINDING

if TYPE_CHECKING:
    from classifier.findings.attempts import Pair
    from classifier.findings.case import Array, Case
    from classifier.matching.model import Signature

WORKING, CANNOT_TELL, NOT_TRIED, NO_ANSWER = "working", "cannot tell", "no attempt seen", "no answer"
STATES = {
    at.ESTABLISHED: WORKING,
    at.MIDSTREAM: WORKING,
    at.ANSWERED: WORKING,
    at.IDLE_CUT: WORKING,
    at.DROPPED: "accepted, then reset",
    at.REFUSED: "refused",
    at.REJECTED: "rejected",
    at.UNANSWERED: "blocked",
    at.IGNORED: "answer lost",
    at.INCONCLUSIVE: CANNOT_TELL,
    at.HALF_SEEN: CANNOT_TELL,
}
ROWS = 1000
"""Pairs of hosts of one component that have rows; those that failed come first."""
NO_FLOWS = np.zeros(0, "i8")
KINDS = (
    ("digifort.server", "digifort.http_api"),
    ("digifort.analytics",),
    ("digifort.lpr",),
    ("digital_sentry.video", "digital_sentry.diagnostics", "digital_sentry.mobile", "digital_sentry.audio"),
    ("digital_sentry.sql_discovery", "digital_sentry.sql"),
)
"""Components that one kind of host listens for. The others are no connections, or nobody's in particular."""


@dataclass(frozen=True, slots=True)
class PortRow:
    """One component, one client, one server. `port`: 0 where it is not known; `server`: "" where it is not known.

    `required`: as the signature says. `state`: one of `STATES`, "no answer" (UDP: a SQL Server Browser need not answer)
    or "no attempt seen". `first_ns`, `record`: of the first packet, 0 without any. `flows`: flow ids, the first ones.
    """

    product: str
    component: str
    transport: str
    port: int
    required: str
    client: str
    server: str
    state: str
    first_ns: int
    record: int
    flows: tuple[int, ...]
    pair: Pair | None

    @property
    def failed(self) -> bool:
        """Whether an attempt surely failed; silence is no proof with UDP."""
        if self.pair is None:
            return False
        return bool(self.pair.failed if self.pair.proto == at.TCP else self.pair.counts[at.REJECTED])

    @property
    def where(self) -> str:
        """`18772/tcp`."""
        return f"{self.port or 'dynamic'}/{self.transport}"


def port_table(case: Case) -> list[dict[str, Any]]:
    """Rows of the table "ports" (columns.PORTS)."""
    return [
        {
            "product": row.product,
            "component": row.component,
            "required": row.required,
            "client_address": row.client,
            "server_address": row.server,
            "transport": row.transport,
            "port": row.port,
            "state": row.state,
            "tried_ns": row.first_ns or None,
            "first_record": row.record or None,
            "flow_ids": [int(flow) for flow in row.flows],
        }
        for row in case.ports
    ]


def port_rows(case: Case) -> list[PortRow]:
    """All rows, product by product; a pair of hosts needs one that the capture or the user shows to be the product's.

    What a scan tried is left out, unless a host of the product did.
    """
    rows: list[PortRow] = []
    products = {signature.product for signature in case.facts.signatures.signatures}
    for product in sorted(products):
        hosts = _hosts(case, product)
        if hosts.any():
            for kind in _kinds(case, product):
                rows += _of_kind(case, kind, hosts)
            rows += _without_sql(case, rows) if product == "digital_sentry" else []
    return rows


def _hosts(case: Case, product: str) -> Array:
    """(n addresses,) bool: hosts of a product: ends of its flows, and what the user says."""
    flows = np.flatnonzero(case.of_product(product))
    hosts = np.zeros(len(case.addresses), bool)
    hosts[case.addresses.orig[flows]] = hosts[case.addresses.resp[flows]] = True
    hosts[case.server_numbers(product)] = True
    hosts &= ~case.addresses.group
    return hosts


def _kinds(case: Case, product: str) -> Iterator[list[Signature]]:
    """Signatures of each kind of host; a product of the user's is one kind."""
    signatures = [item for item in case.facts.signatures.signatures if item.product == product and not item.groups]
    ours = [kind for kind in KINDS if kind[0].startswith(f"{product}.")]
    for kind in ours:
        yield [item for item in signatures if item.id in kind]
    if not ours:
        yield [item for item in signatures if item.match == "responder" and not item.is_range]


def _of_kind(case: Case, kind: Sequence[Signature], hosts: Array) -> list[PortRow]:
    """Rows of the components of one kind of host."""
    tried = case.attempts
    found: dict[tuple[int, int], dict[str, list[int]]] = {}
    touched = hosts[tried.client] | (hosts[tried.server] & ~tried.scanned)
    numbers = {item.id: case.labels.components.index(item.id) for item in kind if not item.is_range}
    touched &= np.isin(tried.component, list(numbers.values()))
    ours = np.flatnonzero(touched)
    for signature in kind:
        if signature.is_range:
            continue
        hit = (tried.component[ours] == numbers[signature.id]) & (tried.proto[ours] == signature.protocol)
        pairs_hit = ours[hit]
        if len(pairs_hit) > ROWS:
            failed = tried.counts[pairs_hit][:, list(at.FAILED)].sum(axis=1)
            pairs_hit = pairs_hit[np.lexsort((-tried.counts[pairs_hit].sum(axis=1), -failed))[:ROWS]]
        for k in np.sort(pairs_hit).tolist():
            ends = int(tried.client[k]), int(tried.server[k])
            found.setdefault(ends, {}).setdefault(signature.id, []).append(k)
    rows = []
    datagrams = {item.id: _Datagrams(case, item.id) for item in kind if item.is_range}
    for (client, server), pairs in sorted(found.items()):
        for signature in kind:
            mine = pairs.get(signature.id, [])
            flows = datagrams[signature.id].between(client, server) if signature.is_range else NO_FLOWS
            rows += [_tried(case, signature, k) for k in mine] or [_untried(case, signature, client, server, flows)]
    return rows


class _Datagrams:
    """Flows of a component, by the two hosts."""

    def __init__(self, case: Case, component: str) -> None:
        flows = np.flatnonzero(case.owned_by(component))
        orig, resp = case.addresses.orig[flows], case.addresses.resp[flows]
        self._size = len(case.addresses)
        ends = np.minimum(orig, resp) * self._size + np.maximum(orig, resp)
        order = np.argsort(ends, kind="stable")
        self._ends, self._flows = ends[order], flows[order]

    def between(self, one: int, other: int) -> Array:
        """Flow ids between two hosts, ascending."""
        ends = min(one, other) * self._size + max(one, other)
        found: Array = self._flows[slice(*np.searchsorted(self._ends, (ends, ends + 1)))]
        return found


def _tried(case: Case, signature: Signature, number: int) -> PortRow:
    pair = case.attempts.pair(number)
    flows = case.attempts.flows(number)
    return PortRow(
        signature.product,
        signature.id,
        signature.transport,
        pair.port,
        signature.required,
        pair.client,
        pair.server,
        NO_ANSWER if pair.proto == at.UDP and pair.state == at.UNANSWERED else STATES[pair.state],
        pair.first_ns,
        int(case.flows.first_record[flows[0]]),
        tuple(flows[:FLOWS_OF_A_FINDING].tolist()),
        pair,
    )


def _untried(case: Case, signature: Signature, client: int, server: int, flows: Array) -> PortRow:
    """No connection. `flows`: between the two, of a component with a range of UDP ports; they show that it works."""
    port = signature.ports.ranges[0][0] if signature.ports.ranges else 0
    one, other = case.addresses.text(client), case.addresses.text(server)
    base = (signature.product, signature.id, signature.transport)
    if len(flows):
        ports = case.labels.listening_end(flows[:1])
        port = int(case.flows.orig_port[flows[0]] if ports[0] else case.flows.resp_port[flows[0]])
        first, record = int(case.flows.first_ns[flows[0]]), int(case.flows.first_record[flows[0]])
        seen = tuple(flows[:FLOWS_OF_A_FINDING].tolist())
        return PortRow(*base, port, signature.required, one, other, WORKING, first, record, seen, None)
    return PortRow(*base, port, signature.required, one, other, NOT_TRIED, 0, 0, (), None)


def _without_sql(case: Case, rows: Sequence[PortRow]) -> list[PortRow]:
    """Digital Sentry clients that never asked for the database: it may be on any host."""
    asked = {row.client for row in rows if row.component in KINDS[-1]}
    clients = {row.client: None for row in rows if row.product == "digital_sentry" and row.pair is not None}
    kind = [item for item in case.facts.signatures.signatures if item.id in KINDS[-1]]
    hosts = {row.server for row in rows if row.product == "digital_sentry"}
    return [
        PortRow(
            item.product,
            item.id,
            item.transport,
            item.ports.ranges[0][0] if item.ports.ranges else 0,
            item.required,
            client,
            "",
            NOT_TRIED,
            0,
            0,
            (),
            None,
        )
        for client in clients
        if client not in asked and client not in hosts
        for item in sorted(kind, key=lambda item: KINDS[-1].index(item.id))
    ]


def matrix(rows: Sequence[PortRow], case: Case) -> str:
    """`18772/tcp (Digital Sentry video) working; 17772/tcp (...) blocked`, of rows of one client."""
    name = case.facts.signatures.name_of
    return "; ".join(f"{row.where} ({name(row.component)}) {row.state}" for row in rows)


def blocked_pairs(case: Case) -> Array:
    """(m pairs,) bool: pairs that a rule of a product reports, so that no general rule says it again."""
    tried = case.attempts
    service = tried.server << 17 | tried.port << 1 | (tried.proto == at.UDP)
    numbers = np.array([row.pair.number for row in case.ports if row.pair is not None], "i8")
    hit: Array = np.isin(service, service[numbers])
    return hit
