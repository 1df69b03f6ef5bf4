"""What payloads prove, as labels: before any port is looked at, and once more when the ports are settled.

In: `FlowTable.evidence` (evidence.marks) and the signatures' `content`, `content_alone` and `contradicted_by`. Out:
flows owned as confirmed, endpoints that their content names, vetoes against port rules, grades raised, services named
by content. Next: `learned`, `corroborate`, `services`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from classifier.evidence.marks import CODES, CONFIRMS, MARKS, PROVES, mark_bit
from classifier.evidence.proofs import Proofs
from classifier.flows.table import address_text
from classifier.matching.labels import CONTENT, Labels
from classifier.matching.model import CONFIRMED, NO_GRADE, PROBABLE, TRANSPORTS, Array, Learned, Signature


def bits_of(codes: Iterable[str], *strengths: str) -> int:
    """The bits of those marks that are of one of the strengths (any when none is given)."""
    return sum(mark_bit(code) for code in set(codes) if not strengths or MARKS[CODES[code]].strength in strengths)


def apply_content(labels: Labels) -> None:
    """Own what content proves, on any port; note what content rules out.

    Where it proves two components, the one whose port it is comes first, then the one of the stronger mark.
    """
    found = [
        (number, signature, rows)
        for number, signature in enumerate(labels.signatures.signatures)
        for rows in [_marked(labels, signature.protocol, bits_of(signature.content, PROVES))]
        if len(rows)
    ]
    for at_port in (True, False):
        for number, signature, rows in sorted(found, key=lambda item: _first_mark(item[1])):
            mine = rows[labels.component[rows] < 0]
            if at_port and signature.ports.ranges:
                mine = mine[signature.ports.mask()[labels.flows.resp_port[mine]]]
            if len(mine) and (not at_port or signature.ports.ranges):
                labels.own(mine, number, labels.grade_of(signature, CONFIRMED), CONTENT)
                labels.hold_roles(mine, number, 0)
    for number, signature in enumerate(labels.signatures.signatures):
        labels.vetoes[number] = bits_of(signature.contradicted_by)


def content_endpoints(labels: Labels, proofs: Proofs) -> list[Learned]:
    """Endpoints that content names: of flows it proves, and of services whose port is never known in advance.

    The first flow of each endpoint speaks for it.
    """
    named: list[Learned] = []
    for number, signature in enumerate(labels.signatures.signatures):
        if signature.is_learned:
            bits = bits_of(signature.content, CONFIRMS)
            rows = _marked(labels, signature.protocol, bits)
            other = signature.excluded_ports().mask() | signature.ports.mask()
            rows = rows[~other[labels.flows.resp_port[rows]]]
        else:
            bits = bits_of(signature.content, PROVES)
            rows = np.flatnonzero((labels.component == number) & (labels.how == CONTENT))
        rows = rows[~labels.to_group[rows]]
        _, first = np.unique(_endpoints(labels, rows), return_index=True)
        named += [_named(labels, proofs, signature, int(row), bits) for row in rows[np.sort(first)]]
    return named


def confirm(labels: Labels) -> None:
    """Raise to confirmed what port and role gave, where the content confirms it; give what content alone may."""
    evidence = labels.flows.evidence
    for number, signature in enumerate(labels.signatures.signatures):
        bits = bits_of(signature.content, PROVES, CONFIRMS)
        rows = np.flatnonzero((labels.component == number) & ((evidence & bits) != 0))
        labels.grade[rows] = labels.grade_of(signature, CONFIRMED)
        rows = _marked(labels, signature.protocol, bits_of(signature.content_alone))
        if len(rows):
            labels.own(rows, number, labels.grade_of(signature, PROBABLE), CONTENT)
            labels.hold_roles(rows, number, 0)


def apply_content_services(labels: Labels, *, first: bool) -> None:
    """Own flows by what their content is: services whose content says more than any port (`first`), or the others."""
    offset = len(labels.signatures.signatures)
    for index, service in enumerate(labels.signatures.services):
        if not service.content or service.content_first != first:
            continue
        for protocol in TRANSPORTS.values():
            rows = _marked(labels, protocol, bits_of(service.content))
            if len(rows):
                labels.own(rows, offset + index, NO_GRADE, CONTENT)


def _marked(labels: Labels, protocol: int, bits: int) -> Array:
    """Flows that nobody owns, of an IP protocol, with any of these marks."""
    if not bits:
        return np.zeros(0, "i8")
    flows = labels.flows
    marked = ((flows.evidence & bits) != 0) & (labels.component < 0) & (flows.proto == protocol)
    rows: Array = np.flatnonzero(marked & ~flows.unresolved & ~labels.reserved & ~labels.failed)
    return rows


def _first_mark(signature: Signature) -> int:
    return min((CODES[code] for code in signature.content), default=len(MARKS))


def _endpoints(labels: Labels, rows: Array) -> Array:
    """One u8 per responder endpoint; host keys of one capture hardly ever share their 48 low bits."""
    keys: Array = labels.keys(rows, 0) << np.uint64(16) | labels.flows.resp_port[rows].astype(np.uint64)
    return keys


def _named(labels: Labels, proofs: Proofs, signature: Signature, row: int, bits: int) -> Learned:
    flows = labels.flows
    known = [proof for proof in proofs.of(row) if mark_bit(proof.code) & bits]
    proof = min(known, key=lambda item: (item.ts_ns, item.capture, item.record), default=None)
    return Learned(
        component=signature.id,
        address=address_text(flows.resp_addr[row], int(flows.version[row])),
        port=int(flows.resp_port[row]),
        transport=signature.transport,
        by="content",
        instance=next((item.detail for item in known if item.code == "tds_prelogin"), ""),
        version=next((item.detail for item in known if item.detail and item.code != "tds_prelogin"), ""),
        first_ns=proof.ts_ns if proof else int(flows.first_ns[row]),
        capture=proof.capture if proof else int(flows.capture[row]),
        record=proof.record if proof else int(flows.first_record[row]),
    )
