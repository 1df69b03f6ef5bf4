"""A signature to begin with, for the largest service that no component owns.

In: `Facts`. Out: TOML that `--signatures` takes as it is. Next: `--section unclassified`, `classify signatures stub`.
Nothing of a payload is in it: addresses, ports, counts and our own words.
"""

from __future__ import annotations

import numpy as np

from classifier.arrays import distinct
from classifier.decode.protocols import protocol_name
from classifier.flows.table import FAILED_TCP_STATES, TCP_STATES
from classifier.matching.model import TRANSPORTS
from classifier.tables.facts import Array, Facts, sums

PRODUCT = "my_site"
_FAILED = tuple(TCP_STATES.index(state) for state in FAILED_TCP_STATES)


def signature_stub(facts: Facts) -> str:
    """The TOML, ending in a line feed; empty when no endpoint of TCP or UDP is left that a signature could own."""
    flows = facts.read.flows
    rows = _ownable(facts)
    if not len(rows):
        return ""
    resp = facts.addresses.resp
    # protocol number < 256, port < 65536: both fit under the address number
    key = resp[rows] << 24 | flows.proto[rows].astype("i8") << 16 | flows.resp_port[rows]
    keys, at = np.unique(key, return_inverse=True)
    best = int(np.lexsort((keys, -sums(at, flows.wire[rows], len(keys))))[0])
    mine = rows[at == best]
    return _toml(facts, mine)


def _ownable(facts: Facts) -> Array:
    """Unclassified flows that a signature of their responder's port will own."""
    flows, labels = facts.read.flows, facts.labels
    nobody = np.array([facts.product(i) == "unclassified" for i in range(len(labels.components))], bool)
    usable = nobody[labels.component] & (flows.resp_port > 0) & ~flows.unresolved
    usable &= np.isin(flows.proto, list(TRANSPORTS.values())) & ~np.isin(flows.tcp_state, _FAILED)
    rows = np.flatnonzero(usable)
    return rows[~labels.doubtful(rows)]


def _toml(facts: Facts, rows: Array) -> str:
    flows, first = facts.read.flows, int(rows[0])
    transport, port = protocol_name(int(flows.proto[first])), int(flows.resp_port[first])
    number = int(facts.addresses.resp[first])
    address = facts.addresses.text(number)
    group = bool(facts.addresses.group[number])
    product = _free_product(facts)
    name = f"{transport}_{port}"
    keys = [f'transport = "{transport}"', f"ports = [{port}]"]
    if group and address != "255.255.255.255":
        keys.append(f'groups = ["{address}"]')
    elif transport == "udp":
        keys.append('other_port = "any"')
        if group:
            keys.append("to_group = true")
    peers = len(distinct(facts.addresses.orig[rows]))
    count = f"{len(rows)} flow{'s' if len(rows) > 1 else ''} from {peers} host{'s' if peers > 1 else ''}"
    lines = [
        f"# {count}, {int(flows.wire[rows].sum()):,} bytes, to {address} {transport}/{port}.",
        "# Give it names of your own; keys and what they mean: signatures/README.md.",
        "[product]",
        f'id = "{product}"',
        'name = "My site"',
        "",
        "[[signature]]",
        f'id = "{product}.{name}"',
        f'name = "Service on {transport}/{port}"',
        *keys,
        f'listener_role = "{transport}/{port} server"',
        f'peer_role = "{transport}/{port} client"',
        'listens = "the responder"',
        "# generic = true   # when other programs use the port too: then it counts only at a host of this product",
    ]
    return "\n".join(lines) + "\n"


def _free_product(facts: Facts) -> str:
    """A product id that no file in force has."""
    taken, number, name = {item.id for item in facts.signatures.products}, 1, PRODUCT
    while name in taken:
        number += 1
        name = f"{PRODUCT}_{number}"
    return name
