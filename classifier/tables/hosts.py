"""Hosts: every address that is no group, with its name, roles, products, traffic and peers.

In: `Facts`. Out: columns. Next: `classifier.report`.
"""

from __future__ import annotations

import numpy as np

from classifier.arrays import distinct
from classifier.tables.addresses import mac_text
from classifier.tables.facts import PRODUCTS_LAST, Array, Columns, Facts, highest, lowest, sums

HOSTS_LISTED = 10_000
MACS_LISTED = 4


def hosts(facts: Facts) -> Columns:
    """One row per address that is no group, most bytes first; `HOSTS_LISTED` at most, first those with a role."""
    flows, addresses = facts.read.flows, facts.addresses
    n = len(addresses)
    orig, resp = addresses.orig, addresses.resp
    sent = sums(orig, flows.orig_wire, n) + sums(resp, flows.resp_wire, n)
    received = sums(resp, flows.orig_wire, n) + sums(orig, flows.resp_wire, n)
    real = np.flatnonzero(~addresses.group)
    roles = facts.labels.roles
    has_role = np.zeros(n, bool)
    has_role[real] = facts.labels.have_roles(addresses.words[real], addresses.version[real])
    ranked = real[np.lexsort((real, -(sent + received)[real], ~has_role[real]))][:HOSTS_LISTED]
    chosen = ranked[np.lexsort((ranked, -(sent + received)[ranked]))]
    facts.limit("hosts", len(chosen), len(real))

    sent_packets = sums(orig, flows.orig_packets, n) + sums(resp, flows.resp_packets, n)
    received_packets = sums(resp, flows.orig_packets, n) + sums(orig, flows.resp_packets, n)
    other = orig != resp
    count = np.bincount(orig, minlength=n) + np.bincount(resp[other], minlength=n)
    first = np.minimum(lowest(orig, flows.first_ns, n), lowest(resp, flows.first_ns, n))
    last = np.maximum(highest(orig, flows.last_ns, n), highest(resp, flows.last_ns, n))

    listed = np.zeros(n, bool)
    listed[chosen] = True
    macs = _macs(facts, listed)
    products = _products(facts, listed)
    texts = addresses.texts(chosen).tolist()
    return {
        "address": texts,
        "name": [facts.names.get(text, "") for text in texts],
        "roles": [list(roles.get(text, ())) for text in texts],
        "products": [products.get(i, []) for i in chosen.tolist()],
        "sent_packets": sent_packets[chosen],
        "received_packets": received_packets[chosen],
        "sent_wire_bytes": sent[chosen],
        "received_wire_bytes": received[chosen],
        "flows": count[chosen],
        "peers": _peers(orig, resp, n)[chosen],
        "macs": [macs.get(i, []) for i in chosen.tolist()],
        "first_ns": first[chosen],
        "last_ns": last[chosen],
    }


def _peers(orig: Array, resp: Array, n: int) -> Array:
    """Distinct addresses that each address exchanged packets with."""
    low, high = np.minimum(orig, resp), np.maximum(orig, resp)
    pairs = distinct(low * n + high)
    low, high = (pairs // n, pairs % n) if n else (pairs, pairs)
    return np.bincount(low, minlength=n) + np.bincount(high[low != high], minlength=n)


def _macs(facts: Facts, listed: Array) -> dict[int, list[str]]:
    """MAC addresses that listed addresses sent from, most flows first."""
    flows, addresses = facts.read.flows, facts.addresses
    owner = np.concatenate([addresses.orig, addresses.resp])
    mac = np.concatenate([flows.orig_mac, flows.resp_mac])
    sent = np.concatenate([flows.orig_packets, flows.resp_packets]) > 0
    keep = sent & (mac != 0) & listed[owner]
    owner, mac = owner[keep], mac[keep]
    distinct, at = np.unique(mac, return_inverse=True)
    if not len(distinct):
        return {}
    pairs, count = np.unique(owner * len(distinct) + at, return_counts=True)
    host, which = pairs // len(distinct), pairs % len(distinct)
    out: dict[int, list[str]] = {}
    for k in np.lexsort((which, -count, host)).tolist():
        names = out.setdefault(int(host[k]), [])
        if len(names) < MACS_LISTED:
            names.append(mac_text(int(distinct[which[k]])))
    return out


def _products(facts: Facts, listed: Array) -> dict[int, list[str]]:
    """Products that listed addresses take part in, most flows first."""
    labels, addresses = facts.labels, facts.addresses
    names = [facts.product(i) for i in range(len(labels.components))]
    known = sorted({name for name in names if name not in PRODUCTS_LAST})
    if not known:
        return {}
    number = np.array([known.index(name) if name in known else -1 for name in names], "i8")
    product = np.concatenate([number[labels.component]] * 2)
    owner = np.concatenate([addresses.orig, addresses.resp])
    keep = (product >= 0) & listed[owner]
    pairs, count = np.unique(owner[keep] * len(known) + product[keep], return_counts=True)
    out: dict[int, list[str]] = {}
    for k in np.lexsort((pairs, -count)).tolist():
        out.setdefault(int(pairs[k]) // len(known), []).append(known[int(pairs[k]) % len(known)])
    return out
