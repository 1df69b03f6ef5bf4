"""The addresses of a flow table, each once.

In: a FlowTable. Out: `Addresses`: a number per distinct address, the numbers of every flow's originator and
responder, and their text. Next: the report's tables, which group by number and write text only for what they show.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.flows.table import FlowTable, address_text, address_texts, address_words, is_group

Array = npt.NDArray[Any]


class Addresses:
    """Distinct addresses of a flow table, numbered: IPv4 first, then IPv6, each in numerical order.

    `orig`, `resp`: (n flows,) i8 numbers. `words`: (n addresses, 4) u4. `version`: (n addresses,) u1.
    `group`: (n addresses,) bool, multicast or limited broadcast.
    """

    def __init__(self, flows: FlowTable) -> None:
        n = len(flows)
        words = np.concatenate([flows.orig_addr, flows.resp_addr]).reshape(-1, 4)
        version = np.concatenate([flows.version, flows.version])
        ids = np.zeros(2 * n, "i8")
        four = version == 4
        fours, ids[four] = np.unique(words[four, 3], return_inverse=True)
        sixes, number = _unique_rows(words[~four])
        ids[~four] = number + len(fours)
        self.orig: Array = ids[:n]
        self.resp: Array = ids[n:]
        self.words: Array = np.zeros((len(fours) + len(sixes), 4), "u4")
        self.words[: len(fours), 3] = fours
        self.words[len(fours) :] = sixes
        self.version: Array = np.where(np.arange(len(self.words)) < len(fours), 4, 6).astype("u1")
        self.group: Array = is_group(self.words, self.version)
        self._n4 = len(fours)
        self._fours = fours
        self._all: Array | None = None
        self._one: dict[int, str] = {}
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.words)

    def text(self, number: int) -> str:
        """One address as text."""
        if self._all is not None:
            return str(self._all[number])
        known = self._one.get(number)
        if known is None:
            known = self._one[number] = address_text(self.words[number].tolist(), int(self.version[number]))
        return known

    def texts(self, numbers: Array) -> Array:
        """Addresses as an object array of str, each distinct one written once."""
        if self._all is not None:
            return self._all[numbers]
        if 2 * len(numbers) >= len(self):
            self._all = address_texts(self.words, self.version)
            return self._all[numbers]
        distinct, at = np.unique(numbers, return_inverse=True)
        written: Array = address_texts(self.words[distinct], self.version[distinct])
        return written[at]

    def find(self, text: str) -> int:
        """Number of the address written `text`, -1 when no flow has it; looked up once."""
        known = self._numbers.get(text)
        if known is None:
            known = self._numbers[text] = self._find(text)
        return known

    def _find(self, text: str) -> int:
        try:
            version, words = address_words(text)
        except ValueError:
            return -1
        if version == 4:
            at = int(np.searchsorted(self._fours, np.uint32(words[3])))
            return at if at < self._n4 and int(self._fours[at]) == words[3] else -1
        sixes = range(self._n4, len(self))
        at = bisect_left(sixes, words, key=lambda number: tuple(self.words[number].tolist())) + self._n4
        return at if at < len(self) and tuple(self.words[at].tolist()) == words else -1


def _unique_rows(words: Array) -> tuple[Array, Array]:
    """Distinct rows of (m, 4) u4 in numerical order, and the number of each row."""
    m = len(words)
    if not m:
        return words, np.zeros(0, "i8")
    high = words[:, 0].astype("u8") << np.uint64(32) | words[:, 1]
    low = words[:, 2].astype("u8") << np.uint64(32) | words[:, 3]
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    new = np.concatenate(([True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])))
    number = np.empty(m, "i8")
    number[order] = np.cumsum(new) - 1
    return words[order][new], number


def mac_text(mac: int) -> str:
    """A MAC address kept as an integer, as text: `00:1b:44:11:3a:b7`."""
    digits = f"{mac & 0xFFFFFFFFFFFF:012x}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))
