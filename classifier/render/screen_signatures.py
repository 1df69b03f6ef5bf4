"""Signatures as text: the list, one in full, and what a file adds.

In: a `SignatureSet`, a `Signature` or a `Service`. Out: text, wrapped to a width. Next: `classifier.verbs` prints it.
Text of signature files is a user's: it is escaped like text of packets.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from classifier.render.escape import printable

if TYPE_CHECKING:
    from classifier.matching.model import Service, Signature, SignatureSet, Source

WIDTH = 100
LABEL = 14

_CHANGEABLE = {"yes": "can be changed", "no": "fixed", "unstated": "not stated"}


def listing(signatures: SignatureSet, *, services: bool = False) -> str:
    """All components by product, one line each; the curated services too when asked."""
    lines: list[str] = []
    for product in signatures.products:
        own = [item for item in signatures.signatures if item.product == product.id]
        lines += [printable(product.name), *_rows([(s.id, s.where(), s.name) for s in own]), ""]
    if services:
        rows = [(s.component, service_where(s), s.label) for s in signatures.services]
        lines += ["Other services, named so that they are not mistaken for a product's", *_rows(rows), ""]
    else:
        lines.append(f"And {len(signatures.services)} other services: classify signatures list --services")
    return "\n".join(lines).rstrip() + "\n"


def _rows(rows: list[tuple[str, str, str]]) -> list[str]:
    shown = [tuple(printable(cell) for cell in row) for row in rows]
    first = max((len(row[0]) for row in shown), default=0)
    second = max((len(row[1]) for row in shown), default=0)
    second = min(second, 42)
    return [f"  {a:<{first}}  {b:<{second}}  {c}".rstrip() for a, b, c in shown]


def service_where(service: Service) -> str:
    """Transport and ports of a service in short: `"tcp 53, udp 53"`."""
    parts = [f"{t} {', '.join(map(str, service.ports(t)))}" for t in ("tcp", "udp") if service.ports(t)]
    text = ", ".join(parts) or "by its content"
    return text + (f" at {', '.join(service.groups)}" if service.groups else "")


def signature(item: Signature, signatures: SignatureSet) -> str:
    """Everything a signature says, with the sentence it stands on."""
    product = signatures.product(item.product)
    lines = [f"{printable(item.id)}: {printable(item.name)}" + (f" ({printable(product.name)})" if product else "")]
    facts = [
        ("where", item.where()),
        ("listens", item.listens),
        ("direction", item.direction),
        ("carries", item.carries),
        ("port", _CHANGEABLE.get(item.changeable, item.changeable)),
        ("required", {"unstated": "not stated"}.get(item.required, item.required)),
        ("roles", _roles(item)),
        ("port alone", _alone(item)),
        ("content", ", ".join(item.content)),
        ("at most", item.max_grade if item.max_grade != "confirmed" else ""),
    ]
    lines += [line for label, text in facts for line in _fact(label, text)]
    for support in item.support:
        holds = " or ".join(hold.text() for hold in support.holds)
        lines += _fact("needs", f"the {support.end} to be {holds} elsewhere in the capture")
    for exclusion in item.excludes:
        what = " ".join(filter(None, (exclusion.transport, exclusion.ports.text())))
        lines += _fact("excludes", f"{what}: {exclusion.reason}" if what else exclusion.reason)
    for source in item.sources:
        lines += _fact("source", _source(source, item, signatures))
    for fact in item.facts:
        lines += _fact(
            "also known", fact.text + (f" [{_title(fact.document, item, signatures)}]" if fact.document else "")
        )
    for text in item.ours:
        lines += _fact("our choice", text)
    for text in item.notes:
        lines += _fact("note", text)
    lines += _fact("file", item.origin)
    for key, path in item.overridden:
        lines += _fact("changed", f"{key}, by {path}")
    return "\n".join(lines) + "\n"


def service(item: Service) -> str:
    """Everything a curated service says."""
    lines = [f"{printable(item.component)}: {printable(item.label)}"]
    facts = [("where", service_where(item)), ("IANA name", item.iana), ("role", item.role)]
    if item.needs_role:
        facts.append(("port alone", "not enough: other programs use these ports too"))
    for label, text in (*facts, ("note", item.notes), ("file", item.origin)):
        lines += _fact(label, text)
    return "\n".join(lines) + "\n"


def checked(path: str, signatures: SignatureSet) -> str:
    """One line for a file that is right: what it adds, what it changes."""
    parts = []
    products = [p.id for p in signatures.products if p.origin == path]
    own = [s for s in signatures.signatures if s.origin == path]
    services = [s for s in signatures.services if s.origin == path]
    changed = [(s.id, key) for s in signatures.signatures for key, origin in s.overridden if origin == path]
    if products:
        parts.append("product " + ", ".join(products))
    if own:
        parts.append(f"{len(own)} component{'s' if len(own) > 1 else ''}")
    if services:
        parts.append(f"{len(services)} service{'s' if len(services) > 1 else ''}")
    if changed:
        parts.append("changes " + ", ".join(f"{id} ({key})" for id, key in changed))
    return printable(f"{path}: right; {', '.join(parts) or 'adds and changes nothing'}") + "\n"


def _fact(label: str, text: str) -> list[str]:
    if not text:
        return []
    lines = textwrap.wrap(printable(text), WIDTH - LABEL, break_long_words=False, break_on_hyphens=False)
    return [(f"  {label}" if n == 0 else "").ljust(LABEL) + line for n, line in enumerate(lines)]


def _roles(item: Signature) -> str:
    parts = []
    if item.listener_role:
        parts.append(f"{item.listener_role} (listens)")
    if item.peer_role:
        parts.append(f"{item.peer_role} (other end)")
    return ", ".join(parts)


def _alone(item: Signature) -> str:
    if item.support or item.generic:
        return "not enough: other programs use it too" if item.generic else "not enough: see what it needs"
    return item.alone


def _title(document: str, item: Signature, signatures: SignatureSet) -> str:
    product = signatures.product(item.product)
    known = product.documents.get(document, {}) if product else {}
    return known.get("title", document)


def _source(source: Source, item: Signature, signatures: SignatureSet) -> str:
    text = _title(source.document, item, signatures)
    if source.section:
        text += f", section {source.section}"
    return text + (f': "{source.quote}"' if source.quote else "")
