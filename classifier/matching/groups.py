"""Multicast: the address is the signature, and comes before any port.

In: flows to groups. Out: flows owned by the signature of their group. Next: content, learned endpoints, ports.
"""

from __future__ import annotations

import numpy as np

from classifier.arrays import distinct
from classifier.flows.table import address_words
from classifier.matching.labels import AMBIGUOUS, GROUP, GROUP_PORT, UNEXPECTED_PORT, Labels
from classifier.matching.model import PROBABLE, Array


def apply_groups(labels: Labels) -> None:
    """Own flows to the groups of signatures; a group and its ports before a group alone, fewer ports before more.

    Two signatures that fit equally well own nothing: both are candidates.
    """
    flows = labels.flows
    rows = np.flatnonzero(labels.to_group & (flows.proto == 17) & ~flows.unresolved)
    if not len(rows):
        return
    words, version, port = flows.resp_addr[rows], flows.version[rows], flows.resp_port[rows]
    score = np.zeros(len(rows), "i8")
    winner = np.full(len(rows), -1, "i2")
    tied = np.zeros(len(rows), bool)
    fits: list[tuple[int, Array, int]] = []
    for number, signature in enumerate(labels.signatures.signatures):
        if not signature.groups:
            continue
        here = np.zeros(len(rows), bool)
        for group in signature.groups:
            here |= to_address(words, version, group)
        if not here.any():
            continue
        inside = here & signature.ports.mask()[port]
        # on a group whose address is the signature, another port only weakens the claim
        claims = [(inside, signature.specificity)]
        if signature.match == "group":
            claims.append((here & ~inside, 1))
        for fit, value in claims:
            fits.append((number, fit, value))
            tied[fit & (score == value) & (winner >= 0)] = True
            better = fit & (value > score)
            tied[better] = False
            score[better] = value
            winner[better] = number
        labels.candidate(rows[here & ~inside & (signature.match == "group_port")], number, GROUP_PORT)
    won = (winner >= 0) & ~tied
    for number in distinct(winner[won]):
        mine = won & (winner == number)
        signature = labels.signatures.signatures[number]
        labels.own(rows[mine], number, PROBABLE, GROUP)
        labels.flags[rows[mine & (score == 1)]] |= UNEXPECTED_PORT
        labels.hold_roles(rows[mine], number, 0)
    for number, fit, value in fits:
        labels.candidate(rows[fit & tied & (score == value)], number, AMBIGUOUS)


def to_address(words: Array, version: Array, text: str) -> Array:
    """Which of (n, 4) u4 address words are one address."""
    wanted_version, wanted = address_words(text)
    same: Array = version == wanted_version
    for index in range(4) if wanted_version == 6 else (3,):
        same = same & (words[:, index] == wanted[index])
    return same
