"""Everything else: the curated service table, protocols without ports, and what is left.

In: flows that no product owns. Out: `other.<service>`, `network.<protocol>`, `unclassified.tcp|udp|ip`.
Next: `attribution`.
"""

from __future__ import annotations

import numpy as np

from classifier.arrays import distinct
from classifier.decode.protocols import component_of_ip_protocol
from classifier.flows.table import DIRECTION_BASES
from classifier.matching.claims import WELL_KNOWN
from classifier.matching.labels import NONE, PROTOCOL, SERVICE, Labels
from classifier.matching.model import NO_GRADE, TRANSPORTS, Array

_KNOWN_ROLE = tuple(DIRECTION_BASES.index(name) for name in ("syn", "syn_ack", "group", "content", "fan_in"))


def apply_services(labels: Labels) -> None:
    """Own flows by the port of a curated service: TCP by the responder's, UDP by either side's.

    A service that needs a role counts only on the side that is known to listen, or when both ports are its own.
    """
    flows, signatures = labels.flows, labels.signatures
    if not signatures.services:
        return
    first = len(signatures.signatures)
    needs_role = np.array([service.needs_role for service in signatures.services])
    for transport, protocol in TRANSPORTS.items():
        table = signatures.service_table[transport]
        open_ = (flows.proto == protocol) & (labels.component < 0) & ~flows.unresolved
        if transport == "tcp":
            open_ &= ~labels.failed
        rows = np.flatnonzero(open_)
        orig_port, resp_port = flows.orig_port[rows], flows.resp_port[rows]
        at_resp = table[resp_port]
        known = np.isin(flows.direction_basis[rows], _KNOWN_ROLE) | (orig_port == resp_port)
        at_resp = np.where((at_resp >= 0) & needs_role[at_resp] & ~known, -1, at_resp)
        end = np.zeros(len(rows), "u1")
        if transport == "udp":
            at_orig = table[orig_port]
            at_orig = np.where((at_orig >= 0) & needs_role[at_orig], -1, at_orig)
            at_orig[labels.to_group[rows]] = -1
            turned = (at_orig >= 0) & ((at_resp < 0) | ((orig_port < WELL_KNOWN) & (resp_port >= WELL_KNOWN)))
            at_resp = np.where(turned, at_orig, at_resp)
            end[turned] = 1
        hit = at_resp >= 0
        mine = rows[hit]
        labels.component[mine] = at_resp[hit] + first
        labels.how[mine] = SERVICE
        labels.end[mine] = end[hit]


def apply_protocols(labels: Labels) -> None:
    """Own what nobody owns, by IP protocol."""
    left: Array = np.flatnonzero(labels.component < 0)
    protocols = labels.flows.proto[left]
    for protocol in distinct(protocols):
        rows = left[protocols == protocol]
        component = component_of_ip_protocol(int(protocol))
        how = NONE if component.startswith("unclassified.") else PROTOCOL
        labels.own(rows, labels.number(component), NO_GRADE, how)
