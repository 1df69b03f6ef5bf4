"""Attribution: which component owns each flow.

In: the flow table and link table of a finished pass, the signatures in force, the endpoints that content named.
Out: `Attribution`: exactly one component per flow and link row, a grade, evidence, candidates and host roles.
Next: `classifier.report`.

Rules, first hit wins: multicast groups; what the payload proves; learned endpoints; port and role with a host that
supports it; port and role of signatures that need no support; services by content that outweighs a port; curated
services by port; services by content; the protocol alone. Between
signatures that fit the same flow the more specific one wins (group before port, fewer ports before more), a tie owns
nothing. The order of files never matters.

Cost: a few passes over plain columns, and sorting only of what is near a signature; about 30 bytes per flow while it
runs, 12 afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from classifier.decode.protocols import component_of_link
from classifier.evidence.proofs import NO_PROOFS, Proofs
from classifier.flows.table import FlowTable, LinkTable
from classifier.matching.attribution import Attribution
from classifier.matching.claims import port_claims
from classifier.matching.content import apply_content, apply_content_services, confirm, content_endpoints
from classifier.matching.corroborate import settle
from classifier.matching.groups import apply_groups
from classifier.matching.labels import Labels
from classifier.matching.learned import LearnedClaims, otherwise_candidates
from classifier.matching.model import Learned, SignatureSet
from classifier.matching.roles import Heard
from classifier.matching.services import apply_protocols, apply_services


def attribute(
    flows: FlowTable,
    links: LinkTable,
    signatures: SignatureSet,
    learned: Sequence[Learned] = (),
    proofs: Proofs = NO_PROOFS,
    heard: Heard | None = None,
) -> Attribution:
    """Label every flow and link row. The same input gives the same labels, however it was split before."""
    labels = Labels(flows, signatures)
    apply_groups(labels)
    apply_content(labels)
    endpoints = [*learned, *content_endpoints(labels, proofs)]
    at_learned = LearnedClaims(labels, endpoints)
    settle(labels, port_claims(labels), at_learned)
    at_learned.rest(labels)
    confirm(labels)
    apply_content_services(labels, first=True)
    apply_services(labels)
    apply_content_services(labels, first=False)
    otherwise_candidates(labels)
    apply_protocols(labels)
    link_component = np.array([labels.number(component_of_link(int(code))) for code in links.code], "i2")
    return Attribution(labels, link_component, endpoints, proofs, heard or Heard())
