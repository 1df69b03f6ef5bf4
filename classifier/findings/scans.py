"""Hosts that try many ports or many hosts: scans, discovery, or a worm.

In: a Case's attempts. Out: `Scans`. Next: NET-SCAN, and NET-CONN-FAIL, which leaves them out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.findings import attempts as at

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

MANY = 15
"""Ports of one host, or hosts at one port, that one host tries in vain (ours)."""
MOST = 0.5
"""Share of its tries there that must be in vain (ours)."""


@dataclass(frozen=True, slots=True)
class Scan:
    """`client` tried `pairs` (numbers of the roll-up): many ports of `server`, or many hosts at `port`."""

    client: int  # address number
    server: int  # address number; -1: many hosts
    port: int  # -1: many ports
    proto: int
    pairs: Array


def scans(case: Case) -> list[Scan]:
    """Scans, those with most tries first; a pair belongs to one at most."""
    tried = case.attempts
    vain: Array = tried.counts[:, [*at.FAILED, at.INCONCLUSIVE, at.HALF_SEEN]].sum(axis=1) > 0
    vain &= tried.counts[:, [at.ESTABLISHED, at.MIDSTREAM, at.IDLE_CUT]].sum(axis=1) == 0
    sizes = max(len(case.addresses), 1)
    by_host = _groups(tried.client * sizes + tried.server, tried.proto, vain)
    by_port = _groups(tried.client << 17 | tried.port << 1, tried.proto, vain)
    found, taken = [], np.zeros(len(tried), bool)
    for pairs, one_host in sorted(
        [(pairs, True) for pairs in by_host] + [(pairs, False) for pairs in by_port], key=lambda item: -len(item[0])
    ):
        pairs = pairs[~taken[pairs]]
        if int(vain[pairs].sum()) < MANY:
            continue
        taken[pairs] = True
        k = int(pairs[0])
        found.append(
            Scan(
                client=int(tried.client[k]),
                server=int(tried.server[k]) if one_host else -1,
                port=-1 if one_host else int(tried.port[k]),
                proto=int(tried.proto[k]),
                pairs=pairs,
            )
        )
    return found


def _groups(key: Array, proto: Array, vain: Array) -> list[Array]:
    """Pairs of one key, where many are in vain and these are most of them."""
    key = key << 1 | (proto == at.UDP)
    keys, failed = np.unique(key[vain], return_counts=True)
    keys, failed = keys[failed >= MANY], failed[failed >= MANY]
    if not len(keys):
        return []
    group = np.searchsorted(keys[:-1], key)
    mine = np.flatnonzero(keys[group] == key)
    group = group[mine]
    pairs = mine[np.argsort(group, kind="stable")]
    all_ = np.bincount(group, minlength=len(keys))
    ends = np.cumsum(all_)
    return [pairs[ends[k] - all_[k] : ends[k]] for k in np.flatnonzero(failed > MOST * all_).tolist()]
