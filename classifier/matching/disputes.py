"""Where a capture contradicts what the user says of the site.

In: finished labels, endpoints that content named, known hosts and moved ports of the signatures. Out: `Dispute`s.
Next: the report's problems.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.evidence.marks import marks_of
from classifier.flows.table import TCP_STATES, address_text
from classifier.matching.groups import to_address
from classifier.matching.hosts import member
from classifier.matching.labels import CONTENT, Labels
from classifier.matching.model import TRANSPORTS, Array, KnownHost, Learned, Signature
from classifier.matching.roles import CAMERA, HostRoles

CONTRADICTION, UNSEEN = "site_contradiction", "site_unseen"
_TCP = TRANSPORTS["tcp"]


@dataclass(frozen=True, slots=True)
class Dispute:
    """One contradiction, with a record (from 1, 0 without one) that shows it."""

    code: str
    record: int
    message: str


def disputes(labels: Labels, learned: Sequence[Learned], roles: HostRoles | None = None) -> list[Dispute]:
    """What the user says and the capture does not bear out, in the order it was said. `roles`: of the hosts."""
    found: list[Dispute] = []
    for host in labels.signatures.hosts:
        found += _of_host(labels, host, learned)
        found += _camera(labels, host, roles)
    for number, signature in enumerate(labels.signatures.signatures):
        changed = dict(signature.overridden)
        for key in ("ports", "groups"):
            if key in changed:
                found += _of_map(labels, number, signature, key, changed[key], learned)
    return list(dict.fromkeys(found))


def _otherwise(origin: str, what: str) -> str:
    """What the user says; an option says it in its own words."""
    return f"{origin} says otherwise" if origin.startswith("--") else f"{origin} says that {what}"


def _of_host(labels: Labels, host: KnownHost, learned: Sequence[Learned]) -> Iterator[Dispute]:
    signatures = labels.signatures
    signature = signatures.get(host.component)
    assert signature is not None
    otherwise = _otherwise(host.origin, f"{host.address} is {signature.listener_role}")
    if not labels.is_present(host.address):
        yield Dispute(UNSEEN, 0, f"{host.address} is in no flow of the capture ({host.origin})")
        return
    flows = labels.flows
    rows = _at_ports(labels, signature)
    rows = rows[to_address(flows.resp_addr[rows], flows.version[rows], host.address)]
    for record, what, row in _shown(labels, host.component, rows):
        port = f"{signature.transport}/{int(flows.resp_port[row])}"
        yield Dispute(CONTRADICTION, record, f"{what} on {port} of {host.address} (record {record}); {otherwise}")
    for item in learned:
        if item.by == "content" and item.address == host.address and item.component == host.component:
            if signature.ports.ranges and item.port not in signature.ports:
                what = f"{signature.name} is on {item.transport}/{item.port} of {item.address}, not on"
                what = f"{what} {signature.ports.text()} (record {item.record})"
                yield Dispute(CONTRADICTION, item.record, f"{what}: {host.origin} says nothing of the port")


def _camera(labels: Labels, host: KnownHost, roles: HostRoles | None) -> Iterator[Dispute]:
    """A camera is no server of a product."""
    signature = labels.signatures.get(host.component)
    if roles is None or signature is None or CAMERA not in roles.words.get(host.address, ()):
        return
    why = roles.reasons(host.address, CAMERA)[0]
    record = why.record or (int(labels.flows.first_record[why.flow]) if why.flow >= 0 else 0)
    otherwise = _otherwise(host.origin, f"{host.address} is {signature.listener_role}")
    text = f"{host.address} is a camera: {why.sentence[:1].lower()}{why.sentence[1:]} (record {record}); {otherwise}"
    yield Dispute(CONTRADICTION, record, text)


def _of_map(
    labels: Labels, number: int, signature: Signature, key: str, origin: str, learned: Sequence[Learned]
) -> Iterator[Dispute]:
    flows = labels.flows
    if key == "groups":
        groups = [item for item in signature.groups if not to_address(flows.resp_addr, flows.version, item).any()]
        if groups:
            yield Dispute(UNSEEN, 0, f"no flow of the capture is to {', '.join(groups)} ({origin})")
        return
    uses = f"{signature.transport}/{signature.ports.text()}"
    otherwise = _otherwise(origin, f"{signature.name} uses {uses}")
    for item in learned:
        if item.by == "content" and item.component == signature.id and item.port not in signature.ports:
            where = f"{signature.name} is on {item.transport}/{item.port} of {item.address} (record {item.record})"
            yield Dispute(CONTRADICTION, item.record, f"{where}; {otherwise}")
    rows = _at_ports(labels, signature)
    if not len(rows):
        yield Dispute(UNSEEN, 0, f"no flow of the capture is at {uses} ({origin})")
    elif not (labels.component == number).any():
        for record, what, row in _shown(labels, signature.id, rows):
            address = address_text(flows.resp_addr[row], int(flows.version[row]))
            port = f"{signature.transport}/{int(flows.resp_port[row])}"
            yield Dispute(CONTRADICTION, record, f"{what} on {port} of {address} (record {record}); {otherwise}")


def _at_ports(labels: Labels, signature: Signature) -> Array:
    flows = labels.flows
    ports = signature.ports.mask()
    near = (flows.proto == signature.protocol) & ports[flows.resp_port]
    if signature.is_range or signature.match == "either":
        near |= (flows.proto == signature.protocol) & ports[flows.orig_port]
    rows: Array = np.flatnonzero(near)
    return rows


def _shown(labels: Labels, component: str, rows: Array) -> Iterator[tuple[int, str, int]]:
    """`(record, words, flow)`: what flows show that the component would not, the first of its kind."""
    flows, number = labels.flows, labels.numbers[component]
    veto = labels.vetoes.get(number, 0)
    against = rows[(flows.evidence[rows] & veto) != 0]
    if len(against):
        row = int(against[0])
        mark = marks_of(int(flows.evidence[row]) & veto)[0]
        yield int(flows.first_record[row]), mark.sentence.rstrip("."), row
    other = rows[(labels.how[rows] == CONTENT) & (labels.component[rows] != number)]
    other = other[~member(other, against)]
    if len(other):
        row = int(other[0])
        owner = labels.components[int(labels.component[row])]
        yield int(flows.first_record[row]), f"{labels.signatures.name_of(owner)} ({owner}) by its payload", row
    refused = flows.tcp_state[rows] == TCP_STATES.index("refused")
    if len(rows) and bool(refused.all()):
        yield int(flows.first_record[rows[0]]), "every connection was refused", int(rows[0])
