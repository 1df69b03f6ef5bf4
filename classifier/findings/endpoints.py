"""Flows by what they go to and who goes there.

In: rows of the flow table. Out: endpoints, each with its flows. Next: the rules about moved ports, clear credentials.
"""

from __future__ import annotations

import numpy as np

from classifier.arrays import distinct
from classifier.findings.case import Array, Case, sorted_addresses


def by_responder(case: Case, rows: Array) -> list[tuple[str, int, Array]]:
    """(address, port, rows) per responding endpoint, the one with most packets first."""
    key = case.addresses.resp[rows].astype("i8") << 16 | case.flows.resp_port[rows].astype("i8")
    ends, at = np.unique(key, return_inverse=True)
    order = np.argsort(at, kind="stable")
    parts = np.split(rows[order], np.cumsum(np.bincount(at, minlength=len(ends)))[:-1]) if len(ends) else []
    weight = [int(case.flows.packets[part].sum()) for part in parts]
    ranked = sorted(range(len(ends)), key=lambda k: (-weight[k], int(ends[k])))
    return [(case.addresses.text(int(ends[k]) >> 16), int(ends[k]) & 0xFFFF, parts[k]) for k in ranked]


def originators(case: Case, rows: Array) -> list[str]:
    """Addresses that opened these flows, in numerical order."""
    return sorted_addresses(case.addresses.texts(distinct(case.addresses.orig[rows])).tolist())
