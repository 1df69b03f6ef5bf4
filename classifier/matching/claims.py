"""Which flows a signature's ports and roles fit, before anything is decided.

In: flows nobody owns yet. Out: `Claim`s, per signature and listening end. Next: `corroborate` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from classifier.arrays import distinct
from classifier.flows.table import DIRECTION_BASES
from classifier.matching.content import bits_of
from classifier.matching.hosts import endpoint_keys, member
from classifier.matching.labels import Claim, Labels
from classifier.matching.model import TRANSPORTS, Array, Signature

WELL_KNOWN = 1024
_UNDECIDED = tuple(DIRECTION_BASES.index(name) for name in ("port_order", "first_packet"))
_BY_COUNT = DIRECTION_BASES.index("fan_in")


@dataclass(slots=True)
class Claims:
    """All claims of the port rules."""

    fit: list[Claim] = field(default_factory=list)
    excluded: list[Claim] = field(default_factory=list)  # in range, but another service's port
    companions: list[Claim] = field(default_factory=list)  # in range, but not by who receives: RTCP perhaps
    failed: list[Claim] = field(default_factory=list)  # TCP attempts that never got through
    contradicted: list[Claim] = field(default_factory=list)  # the payload speaks against it


def port_claims(labels: Labels) -> Claims:
    """Claims of every signature that has ports and no group."""
    claims = Claims()
    flows = labels.flows
    for transport, protocol in TRANSPORTS.items():
        numbered = [
            (number, signature)
            for number, signature in enumerate(labels.signatures.signatures)
            if signature.transport == transport and signature.ports.ranges and not signature.groups
        ]
        if not numbered:
            continue
        masks = {number: signature.ports.mask() for number, signature in numbered}
        near = np.logical_or.reduce(list(masks.values()))
        rows = labels.free(protocol)
        at_resp, at_orig = near[flows.resp_port[rows]], near[flows.orig_port[rows]]
        near_rows = rows[at_resp | at_orig]
        for number, signature in numbered:
            rows = _without_vetoed(labels, claims, number, near_rows, masks[number])
            if transport == "tcp":
                _tcp_claims(labels, claims, number, signature, rows, masks[number])
            else:
                _udp_claims(labels, claims, number, signature, rows, masks[number])
        if transport == "tcp":
            rows = np.flatnonzero(labels.failed & ~flows.unresolved)
            rows = rows[near[flows.resp_port[rows]]]
            for number, signature in numbered:
                if signature.match != "content":
                    _keep(claims.failed, number, rows[masks[number][flows.resp_port[rows]]], 0)
    return claims


def _without_vetoed(labels: Labels, claims: Claims, number: int, rows: Array, mask: Array) -> Array:
    """Rows whose payload does not speak against the signature."""
    bits = labels.vetoes.get(number, 0)
    against = (labels.flows.evidence[rows] & bits) != 0
    if not against.any():
        return rows
    _keep(claims.contradicted, number, rows[against & mask[labels.flows.resp_port[rows]]], 0)
    kept: Array = rows[~against]
    return kept


def _keep(claims: list[Claim], number: int, rows: Array, end: int) -> None:
    if len(rows):
        claims.append(Claim(number, rows, end))


def _tcp_claims(labels: Labels, claims: Claims, number: int, signature: Signature, rows: Array, mask: Array) -> None:
    flows = labels.flows
    at_resp = mask[flows.resp_port[rows]]
    _keep(claims.fit, number, rows[at_resp], 0)
    if signature.match == "either":
        turned = ~at_resp & mask[flows.orig_port[rows]] & ~labels.strong[rows]
        _keep(claims.fit, number, rows[turned], 1)


def _udp_claims(labels: Labels, claims: Claims, number: int, signature: Signature, rows: Array, mask: Array) -> None:
    flows = labels.flows
    to_group = labels.to_group[rows]
    if not signature.to_group:
        rows = rows[~to_group]
        to_group = to_group[~to_group]
    orig_port, resp_port = flows.orig_port[rows], flows.resp_port[rows]
    named = _named_ports(labels, signature)
    excluded = signature.excluded_ports().mask()
    # content that is expected here outweighs what another service's port says
    expected = (flows.evidence[rows] & bits_of(signature.content)) != 0
    in_resp = mask[resp_port] & (~named[orig_port] | expected)
    in_orig = mask[orig_port] & (~named[resp_port] | expected)
    fit_resp = in_resp & (~excluded[resp_port] | expected)
    fit_orig = in_orig & (~excluded[orig_port] | expected)
    if signature.match == "receiver":
        to_resp, to_orig = flows.orig_payload[rows], flows.resp_payload[rows]
        gets_resp = (flows.orig_packets[rows] > 0) & (to_resp >= to_orig)
        gets_orig = (flows.resp_packets[rows] > 0) & (to_orig >= to_resp)
        _keep(claims.excluded, number, rows[in_resp & ~fit_resp & gets_resp], 0)
        _keep(claims.companions, number, rows[fit_resp & (resp_port % 2 == 1)], 0)
        _keep(claims.companions, number, rows[fit_orig & (orig_port % 2 == 1)], 1)
        fit_resp, fit_orig = fit_resp & gets_resp, fit_orig & gets_orig
        _keep(claims.fit, number, rows[fit_resp], 0)
        _keep(claims.fit, number, rows[fit_orig], 1)
        return
    _keep(claims.fit, number, rows[fit_resp], 0)
    fit_orig &= ~fit_resp
    if signature.match == "responder":
        fit_orig &= ~to_group  # what is sent to a group is meant for its port
    _keep(claims.fit, number, rows[fit_orig], 1)


def _named_ports(labels: Labels, signature: Signature) -> Array:
    """65,536 bools: ports that, on the other side, say what the flow is (below 1024, or in the curated table)."""
    if signature.other_port == "any":
        return np.zeros(65536, bool)
    signatures = labels.signatures
    named: Array = signatures.service_table[signature.transport] >= 0
    named[:WELL_KNOWN] = True
    for name in signature.other_services:
        service = signatures.service(f"other.{name}")
        if service is not None:
            named[list(service.ports(signature.transport))] = False
    if not signature.is_range:
        named[signature.ports.mask()] = False
    return named


def doubtful_direction(labels: Labels, rows: Array) -> tuple[Array, Array]:
    """`(undecided, outnumbered)` bools per TCP flow: reasons to doubt that the responder is the listening end.

    undecided: no handshake, and two different ports that services listen on. outnumbered: no handshake, and the
    originator's endpoint meets several remote endpoints while the responder's meets one: it looks like the server.
    """
    flows = labels.flows
    basis = flows.direction_basis[rows]
    open_ = (flows.proto[rows] == TRANSPORTS["tcp"]) & ~labels.strong[rows] & (basis != _BY_COUNT)
    both = labels.signatures.listening["tcp"][flows.orig_port[rows]] & (flows.orig_port[rows] != flows.resp_port[rows])
    undecided = open_ & np.isin(basis, _UNDECIDED) & both
    outnumbered = np.zeros(len(rows), bool)
    asked = np.flatnonzero(open_)
    if len(asked):
        outnumbered[asked] = _outnumbered(labels, rows[asked])
    return undecided, outnumbered & ~undecided


def _outnumbered(labels: Labels, rows: Array) -> Array:
    flows = labels.flows
    ports = np.zeros(65536, bool)
    ports[flows.orig_port[rows]] = True
    ports[flows.resp_port[rows]] = True
    near = np.flatnonzero(
        (flows.proto == TRANSPORTS["tcp"]) & (ports[flows.orig_port] | ports[flows.resp_port]) & ~labels.failed
    )
    orig = endpoint_keys(flows.orig_addr[near], flows.version[near], flows.orig_port[near])
    resp = endpoint_keys(flows.resp_addr[near], flows.version[near], flows.resp_port[near])
    at = np.searchsorted(near, rows)
    asked = distinct(np.concatenate([orig[at], resp[at]]))
    from_orig, from_resp = member(orig, asked), member(resp, asked)
    here = np.concatenate([orig[from_orig], resp[from_resp]])
    there = np.concatenate([resp[from_orig], orig[from_resp]])
    order = np.lexsort((there, here))
    here, there = here[order], there[order]
    fresh = np.ones(len(here), bool)
    fresh[1:] = (here[1:] != here[:-1]) | (there[1:] != there[:-1])
    here = here[fresh]
    many = here[1:][here[1:] == here[:-1]]  # sorted keys of endpoints with two remotes or more
    result: Array = member(orig[at], many) & ~member(resp[at], many)
    return result
