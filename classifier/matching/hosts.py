"""Which hosts hold which roles: sets of addresses per (component, end), looked up for many flows at once.

In: addresses of flows that a component owns. Out: who is a listener or peer of it. Next: `attribute`, `roles`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from classifier.arrays import distinct
from classifier.flows.table import address_words
from classifier.matching.model import LISTENER, PEER, Array, Hold, Support

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_V4 = np.uint64(0xFFFF) << np.uint64(32)


def host_keys(words: Array, version: Array) -> Array:
    """One u8 per address of (n, 4) u4 words.

    Exact for IPv4 and for IPv6 addresses that share their first half; two IPv6 addresses of different networks
    share a key with a chance of 2**-64, which could lend one of them the other's role and nothing worse.
    """
    low: Array = words[:, 3].astype(np.uint64)
    four = version == 4
    if four.all():
        low |= _V4
        return low
    low |= words[:, 2].astype(np.uint64) << np.uint64(32)
    high = words[:, 1].astype(np.uint64) | words[:, 0].astype(np.uint64) << np.uint64(32)
    mixed = high * _MULTIPLIER
    mixed ^= mixed >> np.uint64(29)
    keys: Array = np.where(four, words[:, 3].astype(np.uint64) | _V4, low ^ mixed)
    return keys


def keys_of(addresses: Iterable[str]) -> Array:
    """Host keys of addresses as text, in their order."""
    pairs = [address_words(address) for address in addresses]
    words = np.array([words for _, words in pairs], "u4").reshape(-1, 4)
    return host_keys(words, np.array([version for version, _ in pairs], "u1"))


def endpoint_keys(words: Array, version: Array, ports: Array) -> Array:
    """One u8 per (address, port): a mixed key, equal for equal endpoints."""
    mixed = (host_keys(words, version) ^ (ports.astype(np.uint64) << np.uint64(48))) * _MULTIPLIER
    keys: Array = mixed ^ (mixed >> np.uint64(32))
    return keys


def member(keys: Array, sorted_keys: Array) -> Array:
    """Which of `keys` are in the sorted u8 array `sorted_keys`."""
    if not len(sorted_keys):
        return np.zeros(len(keys), bool)
    at = np.searchsorted(sorted_keys, keys)
    at[at == len(sorted_keys)] = 0
    found: Array = sorted_keys[at] == keys
    return found


class HostRoles:
    """Sets of host keys per (component number, end)."""

    def __init__(self, numbers: dict[str, int], needs_support: Iterable[str]) -> None:
        """`numbers`: component id to number; `needs_support`: components that `product.*` does not stand for."""
        self._numbers = numbers
        self._needs_support = frozenset(needs_support)
        self._sets: dict[tuple[int, int], Array] = {}

    def add(self, component: int, end: int, keys: Array) -> bool:
        """Hosts `keys` hold this role now; true when that is new of any of them."""
        known = self._sets.get((component, end))
        fresh = distinct(keys if known is None else np.concatenate([known, keys]))
        if not len(fresh) or (known is not None and len(fresh) == len(known)):
            return False
        self._sets[component, end] = fresh
        return True

    def get(self, component: int, end: int) -> Array:
        """Sorted u8 keys of the hosts that hold a role."""
        return self._sets.get((component, end), np.zeros(0, np.uint64))

    def roles_of(self, hold: Hold) -> list[tuple[int, int]]:
        """(component number, end) pairs that a hold stands for and that some host has."""
        product, _, part = hold.component.partition(".")
        ends = {"listener": (LISTENER,), "peer": (PEER,)}.get(hold.end, (LISTENER, PEER))
        if part == "*":
            wanted = {
                number
                for name, number in self._numbers.items()
                if name.startswith(f"{product}.") and name not in self._needs_support
            }
        else:
            wanted = {self._numbers[hold.component]}
        return [key for key in self._sets if key[0] in wanted and key[1] in ends]

    def supported(self, supports: Iterable[Support], listener: Array, peer: Array) -> Array:
        """By which role each flow is supported: i4, component number * 4 + role's end * 2 + flow's end; -1 none.

        `listener`, `peer`: host keys of the flows' two ends.
        """
        found = np.full(len(listener), -1, "i4")
        for support in supports:
            for hold in support.holds:
                for role in self.roles_of(hold):
                    holders = self._sets[role]
                    for end, keys in ((LISTENER, listener), (PEER, peer)):
                        if support.end in (("listener", "peer")[end], "either"):
                            hit = (found < 0) & member(keys, holders)
                            found[hit] = role[0] * 4 + role[1] * 2 + end
        return found
