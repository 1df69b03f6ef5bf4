"""What each host does, in the words of the signatures.

In: finished labels. Out: role words per address, strongest first. Next: the report's hosts table.
"""

from __future__ import annotations

import numpy as np

from classifier.flows.table import address_text, is_group
from classifier.matching.hosts import member
from classifier.matching.labels import SWAPPED, Labels
from classifier.matching.model import LISTENER, PEER, Array

MAX_ROLES = 65536
"""(host, role) pairs kept; products before services."""

CAMERA = "camera"
_RTSP = "other.rtsp"


def host_roles(labels: Labels) -> tuple[dict[str, list[str]], int]:
    """Role words per address text, and how many (host, role) pairs were left out beyond `MAX_ROLES`.

    Products' own sides first, then who uses them, then other services.
    """
    found = _Found(labels)
    signatures = labels.signatures.signatures
    present = np.unique(labels.component)
    for number in present[present < len(signatures)]:
        signature = signatures[number]
        rows = np.flatnonzero(labels.component == number)
        turned = labels.end[rows] ^ ((labels.flags[rows] & SWAPPED) != 0)
        quiet = signature.transport == "udp" and signature.match == "responder"
        for role, word in ((LISTENER, signature.listener_role), (PEER, signature.peer_role)):
            for side in (0, 1):
                here = rows[(turned == side) == (role == LISTENER)]
                if quiet and side == 0:
                    here = here[labels.flows.resp_packets[here] > 0]
                # a client of a component that everybody has says less than one of a component of its own
                found.add(here, side, word, (role, int(role == PEER and signature.generic), int(number)))
    _cameras(labels, found)
    services = labels.signatures.services
    for number in present[present >= len(signatures)]:
        index = int(number) - len(signatures)
        if index >= len(services) or not services[index].role:
            continue
        rows = np.flatnonzero(labels.component == number)
        for side in (0, 1):
            here = rows[labels.end[rows] == side]
            sent = (labels.flows.orig_packets if side else labels.flows.resp_packets)[here]
            found.add(here[sent > 0], side, services[index].role, (3, 0, int(number)))
    return found.finish(), found.left_out


def _cameras(labels: Labels, found: _Found) -> None:
    """A device that a server of a product opens RTSP to is a camera."""
    number = labels.numbers.get(_RTSP)
    rows = np.flatnonzero(labels.component == number) if number is not None else np.zeros(0, "i8")
    if not len(rows):
        return
    opener = labels.keys(rows, 1)
    by_server = np.zeros(len(rows), bool)
    for index, signature in enumerate(labels.signatures.signatures):
        if signature.alone == "probable" and not signature.groups:
            by_server |= member(opener, labels.roles.get(index, LISTENER))
    found.add(rows[by_server], 0, CAMERA, (2, 0, 0))


class _Found:
    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.words: dict[str, dict[str, tuple[int, int, int]]] = {}
        self.room = MAX_ROLES
        self.left_out = 0

    def add(self, rows: Array, side: int, word: str, rank: tuple[int, int, int]) -> None:
        """The hosts on one side of flows have a role; `rank`: lower is stronger."""
        flows = self.labels.flows
        if not len(rows) or not word:
            return
        words = flows.orig_addr if side else flows.resp_addr
        if side == 0:
            rows = rows[~is_group(words[rows], flows.version[rows])]
        _, first = np.unique(self.labels.keys(rows, side), return_index=True)
        self.left_out += max(len(first) - self.room, 0)
        for row in rows[np.sort(first)][: self.room].tolist():
            mine = self.words.setdefault(address_text(words[row], int(flows.version[row])), {})
            if word not in mine:
                self.room -= 1
            mine[word] = min(rank, mine.get(word, rank))

    def finish(self) -> dict[str, list[str]]:
        return {
            address: [word for _, word in sorted((rank, word) for word, rank in words.items())]
            for address, words in self.words.items()
        }
