"""ICMP errors and the flows they are about.

In: a Case. Out: `Rejections`. Next: `findings.attempts`, the rules about ICMP. Sources: RFC 792, RFC 1122 3.2.2.1 and
RFC 1812 5.2.7.1 (codes of type 3), RFC 4443 3.1 (ICMPv6).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from classifier.evidence.collect import IcmpError
    from classifier.findings.case import Array, Case

PORT, HOST, PROHIBITED, TOO_BIG, EXPIRED, OTHER = "port", "host", "prohibited", "too_big", "expired", "other"
_KINDS_4 = {0: HOST, 1: HOST, 2: PORT, 3: PORT, 4: TOO_BIG, 9: PROHIBITED, 10: PROHIBITED, 13: PROHIBITED}
_KINDS_6 = {0: HOST, 1: PROHIBITED, 2: HOST, 3: HOST, 4: PORT, 5: PROHIBITED, 6: PROHIBITED}
_WORDS = {
    (4, 3, 0): "network unreachable",
    (4, 3, 1): "host unreachable",
    (4, 3, 2): "protocol unreachable",
    (4, 3, 3): "port unreachable",
    (4, 3, 4): "fragmentation needed",
    (4, 3, 9): "network administratively prohibited",
    (4, 3, 10): "host administratively prohibited",
    (4, 3, 13): "communication administratively prohibited",
    (4, 11, 0): "time to live exceeded in transit",
    (6, 1, 0): "no route to destination",
    (6, 1, 1): "administratively prohibited",
    (6, 1, 3): "address unreachable",
    (6, 1, 4): "port unreachable",
    (6, 2, 0): "packet too big",
    (6, 3, 0): "hop limit exceeded in transit",
}
_AROUND_NS = 30 * 1_000_000_000
"""An error is about a flow that was there then; routers resolve an address for some seconds first."""


def kind_of(error: IcmpError) -> str:
    """What an error says, whatever the version of IP."""
    if error.version == 4:
        if error.icmp_type == 3:
            return _KINDS_4.get(error.icmp_code, HOST)
        return EXPIRED if (error.icmp_type, error.icmp_code) == (11, 0) else OTHER
    if error.icmp_type == 1:
        return _KINDS_6.get(error.icmp_code, HOST)
    if error.icmp_type == 2:
        return TOO_BIG
    return EXPIRED if (error.icmp_type, error.icmp_code) == (3, 0) else OTHER


def words_of(error: IcmpError) -> str:
    """`communication administratively prohibited (ICMP type 3 code 13)`."""
    name = "ICMPv6" if error.version == 6 else "ICMP"
    what = f"{name} type {error.icmp_type} code {error.icmp_code}"
    words = _WORDS.get((error.version, error.icmp_type, error.icmp_code))
    return f"{words} ({what})" if words else what


class Rejections:
    """`errors`: of the pass, in order. `error_of_flow`: (n flows,) i4, the first error that says that packets of the
    flow's originator do not get there; -1 none."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.errors: list[IcmpError] = case.read.quoted
        self.error_of_flow: Array = np.full(len(case.flows), -1, "i4")
        for k in range(len(self.errors) - 1, -1, -1):
            if kind_of(self.errors[k]) in (PORT, HOST, PROHIBITED):
                self.error_of_flow[self.flows_of(k)] = k

    def flows_of(self, number: int) -> Array:
        """Flows whose originator sent the packets that error `number` quotes."""
        error = self.errors[number]
        quoted = error.quoted
        find = self.case.addresses.find
        orig, resp = find(quoted.src), find(quoted.dst)
        if orig < 0 or resp < 0:
            return np.zeros(0, "i8")
        ports = quoted.src_port << 16 | quoted.dst_port
        rows = self._by_pair.get((orig, resp))
        if rows is None:
            return np.zeros(0, "i8")
        low, high = np.searchsorted(rows[0], [ports, ports + 1])
        found = rows[1][low:high]
        flows = self.case.flows
        near = (flows.first_ns[found] <= error.last_ns) & (flows.last_ns[found] >= error.first_ns - _AROUND_NS)
        near &= flows.proto[found] == quoted.proto
        return found[near]

    @cached_property
    def _by_pair(self) -> dict[tuple[int, int], tuple[Array, Array]]:
        """By originator and responder that errors speak of: the flows' ports (orig << 16 | resp), sorted, and flows."""
        flows, addresses = self.case.flows, self.case.addresses
        size = max(len(addresses), 1)
        pairs = {(addresses.find(item.quoted.src), addresses.find(item.quoted.dst)) for item in self.errors}
        wanted = np.array(sorted(a * size + b for a, b in pairs if a >= 0 and b >= 0), "i8")
        if not len(wanted):
            return {}
        spoken = np.zeros(len(addresses), bool)
        spoken[wanted // size] = True
        rows = np.flatnonzero(spoken[addresses.orig] & ((flows.proto == 6) | (flows.proto == 17)))
        key = addresses.orig[rows] * size + addresses.resp[rows]
        at = np.searchsorted(wanted, key)
        at[at == len(wanted)] = 0
        hit = wanted[at] == key
        rows, key = rows[hit], key[hit]
        ports = flows.orig_port[rows].astype("i8") << 16 | flows.resp_port[rows]
        order = np.lexsort((ports, key))
        rows, key, ports = rows[order], key[order], ports[order]
        found = {}
        for pair in wanted.tolist():
            low, high = np.searchsorted(key, [pair, pair + 1])
            if high > low:
                found[pair // size, pair % size] = (ports[low:high], rows[low:high])
        return found
