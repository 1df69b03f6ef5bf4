"""Endpoints that content announced: a SQL Server's TCP port from an SSRP reply, say.

In: `Facts`. Out: columns. Next: `classifier.report`. Whose endpoint it is, the labels say: any SQL Server announces
itself alike, so an endpoint is a product's only when the product owns flows there, or takes part in the host.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from classifier.decode.protocols import IP_PROTOCOLS
from classifier.tables.facts import PRODUCTS_LAST, Columns, Facts, sums

_NUMBERS = {name: number for number, name in IP_PROTOCOLS.items()}


def learned(facts: Facts) -> Columns:
    """One row per endpoint and instance, in the order they were learned."""
    rows = _news(facts)
    owners = _owners(facts, {item.address for item in rows})
    names = ("address", "port", "by", "instance", "version", "first_ns")
    return {
        "component": [_component(facts, item, owners) for item in rows],
        **{name: [getattr(item, name) for item in rows] for name in names},
    }


def _news(facts: Facts) -> list[Any]:
    """Learned endpoints that say something new: not those that content only found where the signature has its port, or
    where another message had named them."""
    named = {(item.address, item.transport, item.port) for item in facts.labels.learned if item.by != "content"}
    rows = []
    for item in facts.labels.learned:
        if item.by == "content":
            signature = facts.signatures.get(item.component)
            if signature is not None and item.port in signature.ports:
                continue
            if (item.address, item.transport, item.port) in named:
                continue
        rows.append(item)
    return sorted(rows, key=lambda item: (item.first_ns, item.capture, item.record))


def _component(facts: Facts, item: Any, owners: dict[tuple[str, int, int], str]) -> str:
    """Who owns the flows to an endpoint; without any, the learned component if its product is at the host."""
    owner = owners.get((item.address, _NUMBERS.get(item.transport, 0), item.port))
    if owner is not None and owner.partition(".")[0] != "unclassified":
        return owner
    product = facts.signatures.product_of(item.component)
    at_host = {facts.signatures.product_of(name) for (address, _, _), name in owners.items() if address == item.address}
    signature = facts.signatures.get(item.component)
    otherwise = getattr(signature, "otherwise", "")
    if product in at_host or product in PRODUCTS_LAST or not otherwise:
        return str(item.component)
    return f"other.{otherwise}"


def _owners(facts: Facts, hosts: set[str]) -> dict[tuple[str, int, int], str]:
    """Per endpoint `(address, protocol, port)` of these hosts the component that owns most of its packets."""
    flows, addresses, labels = facts.read.flows, facts.addresses, facts.labels
    chosen = np.zeros(len(addresses), bool)
    chosen[[number for number in map(addresses.find, hosts) if number >= 0]] = True
    weight: dict[tuple[str, int, int], dict[str, int]] = {}
    for ends, ports in ((addresses.resp, flows.resp_port), (addresses.orig, flows.orig_port)):
        rows = np.flatnonzero(chosen[ends])
        key = ends[rows] << 24 | flows.proto[rows].astype("i8") << 16 | ports[rows]
        keys, at = np.unique(key, return_inverse=True)
        pairs, pair = np.unique(at * len(labels.components) + labels.component[rows], return_inverse=True)
        packets = sums(pair, flows.packets[rows], len(pairs))
        for code, count in zip(pairs.tolist(), packets.tolist(), strict=True):
            number = int(keys[code // len(labels.components)])
            endpoint = (addresses.text(number >> 24), number >> 16 & 255, number & 0xFFFF)
            of = weight.setdefault(endpoint, {})
            name = labels.components[code % len(labels.components)]
            of[name] = of.get(name, 0) + count
    return {endpoint: max(of, key=lambda name: (of[name], name)) for endpoint, of in weight.items()}
