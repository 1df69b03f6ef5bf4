"""Endpoints that content named: a SQL port from an SSRP reply, a media port from RTSP.

In: `Learned` endpoints. Out: flows at these endpoints, owned as confirmed; a component that needs support (any SQL
Server answers SSRP) gets them only when a host supports it, else the service it `otherwise` is. Next: `corroborate`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.arrays import distinct
from classifier.flows.table import address_words
from classifier.matching.hosts import endpoint_keys, member
from classifier.matching.labels import CONTENT_ONLY, FAILED, LEARNED, SERVICE, UNSUPPORTED, Claim, Labels
from classifier.matching.model import CONFIRMED, NO_GRADE, TRANSPORTS, Array, Learned, Signature


class LearnedClaims:
    """Flows at learned endpoints, per component."""

    def __init__(self, labels: Labels, learned: Sequence[Learned]) -> None:
        self.claims: list[tuple[str, Claim]] = []
        self.failed: list[tuple[str, Array]] = []
        wanted: dict[tuple[str, str], list[Learned]] = {}
        for item in learned:
            if item.transport in TRANSPORTS and 0 < item.port < 65536:
                wanted.setdefault((item.component, item.transport), []).append(item)
        for (component, transport), items in wanted.items():
            self._find(labels, component, transport, items)

    def _find(self, labels: Labels, component: str, transport: str, items: list[Learned]) -> None:
        flows = labels.flows
        ports = np.zeros(65536, bool)
        ports[[item.port for item in items]] = True
        endpoints = _endpoints(items)
        protocol = TRANSPORTS[transport]
        rows = labels.free(protocol)
        for end in (0, 1):
            port, words = (flows.orig_port, flows.orig_addr) if end else (flows.resp_port, flows.resp_addr)
            near = rows[ports[port[rows]]]
            if end and transport == "tcp":
                near = near[~labels.strong[near]]  # a handshake has said who listens
            hit = near[member(endpoint_keys(words[near], flows.version[near], port[near]), endpoints)]
            hit = hit[~labels.reserved[hit]]
            if len(hit):
                labels.reserved[hit] = True
                self.claims.append((component, Claim(labels.number(component), hit, end)))
        if transport == "tcp":
            near = np.flatnonzero(labels.failed)
            near = near[ports[flows.resp_port[near]]]
            keys = endpoint_keys(flows.resp_addr[near], flows.version[near], flows.resp_port[near])
            self.failed.append((component, near[member(keys, endpoints)]))

    def advance(self, labels: Labels) -> bool:
        """Own what is supported by now; true when a host holds a new role by it."""
        fresh = False
        for component, claim in self.claims:
            signature = labels.signatures.get(component)
            rows = claim.rows[labels.component[claim.rows] < 0]
            if signature is None:
                labels.own(rows, claim.number, NO_GRADE, LEARNED, end=claim.end)
                continue
            found = np.full(len(rows), -1, "i4")
            if needs_support(signature):
                sub = Claim(claim.number, rows, claim.end)
                found = labels.supported(claim.number, signature.support, *labels.end_keys(sub))
                rows, found = rows[found >= 0], found[found >= 0]
            if len(rows):
                grade = labels.grade_of(signature, CONFIRMED)
                labels.own(rows, claim.number, grade, LEARNED, end=claim.end, support=found)
                fresh |= labels.hold_roles(rows, claim.number, claim.end)
        return fresh

    def rest(self, labels: Labels) -> None:
        """What found no support goes to the service that the component otherwise is; attempts are candidates."""
        for component, claim in self.claims:
            signature = labels.signatures.get(component)
            rows = claim.rows[labels.component[claim.rows] < 0]
            if signature is not None and signature.otherwise and len(rows):
                other = labels.number(f"other.{signature.otherwise}")
                labels.own(rows, other, NO_GRADE, LEARNED, end=claim.end)
                labels.candidate(rows, claim.number, UNSUPPORTED)
        for component, rows in self.failed:
            signature = labels.signatures.get(component)
            if signature is None or not len(rows):
                continue
            claim = Claim(labels.number(component), rows, 0)
            if signature.support:
                rows = rows[labels.supported(claim.number, signature.support, *labels.end_keys(claim)) >= 0]
            labels.candidate(rows, claim.number, FAILED)


def needs_support(signature: Signature) -> bool:
    """Whether a learned endpoint is the component's only beside a host that supports it.

    Content that proves a component names its endpoints for good; a SQL port or a media port may be anybody's.
    """
    return bool(signature.support) and (signature.is_learned or signature.match == "receiver")


def otherwise_candidates(labels: Labels) -> None:
    """Flows of the service that a learned component `otherwise` is, where a host supports the component.

    A SQL Server on its registered port that a ControlPoint client talks to may well be Digital Sentry's; the port does
    not prove it.
    """
    for number, signature in enumerate(labels.signatures.signatures):
        service = labels.numbers.get(f"other.{signature.otherwise}") if signature.is_learned else None
        if service is None:
            continue
        rows = np.flatnonzero((labels.component == service) & (labels.how == SERVICE))
        for end in (0, 1):
            claim = Claim(number, rows[labels.end[rows] == end], end)
            found = labels.supported(number, signature.support, *labels.end_keys(claim)) >= 0
            labels.candidate(claim.rows[found], number, CONTENT_ONLY)


def _endpoints(items: list[Learned]) -> Array:
    """Sorted keys of learned endpoints; an address that is none is left out."""
    keys = []
    for item in items:
        try:
            version, words = address_words(item.address)
        except ValueError:
            continue
        array = np.array([words], "u4")
        keys.append(endpoint_keys(array, np.array([version], "u1"), np.array([item.port], "u2")))
    return distinct(np.concatenate(keys)) if keys else np.zeros(0, np.uint64)
