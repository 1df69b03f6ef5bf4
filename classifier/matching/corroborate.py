"""Who owns what the port rules claim: alone, or with a host that supports it.

In: claims. Roles that need no support come first (they are what supports others); then claims that need support are
tried until nothing new is found: a claim that is granted may hold the role that another one waits for. Out: owned
flows and candidates in `Labels`. Next: the curated services.

A signature's `holds` say exactly which roles support it, so support never spreads further than the files allow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from classifier.arrays import distinct
from classifier.matching.claims import Claims, doubtful_direction
from classifier.matching.content import bits_of
from classifier.matching.hosts import endpoint_keys, member
from classifier.matching.labels import (
    ALONE,
    AMBIGUOUS,
    BY_CONTENT,
    COMPANION,
    CONTENT_ONLY,
    CONTRADICTED,
    EXCLUDED,
    FAILED,
    FAN_IN,
    OPENED,
    STREAM,
    SUPPORTED,
    SWAPPED,
    UNDECIDED,
    UNSUPPORTED,
    Claim,
    Labels,
    said_support,
)
from classifier.matching.learned import LearnedClaims
from classifier.matching.model import PROBABLE, Array, Hold, Signature, Support

STREAM_PACKETS = 10
"""A one-way stream: at least so many packets into the port (ours) ..."""
STREAM_RATIO = 4
"""... and so many times the packets that come back (ours)."""

_SOLID, _WEAK, _TIED = 0, 1, 2


@dataclass(slots=True)
class _Waiting:
    """A claim that needs support: the rows still without it, and what supported the others."""

    claim: Claim
    signature: Signature
    supports: tuple[Support, ...]
    listener: Array
    peer: Array
    support: Array  # i4 per row, -1 = none yet

    def advance(self, labels: Labels) -> Array:
        """Rows that found support just now."""
        open_ = np.flatnonzero(self.support < 0)
        found = labels.supported(self.claim.number, self.supports, self.listener[open_], self.peer[open_])
        self.support[open_] = found
        rows: Array = self.claim.rows[open_[found >= 0]]
        return rows


class _Best:
    """The best claim per flow by specificity; equal ones of different signatures are a tie."""

    def __init__(self, n: int) -> None:
        self.score = np.zeros(n, "i4")
        self.number = np.full(n, -1, "i2")
        self.end = np.zeros(n, "u1")
        self.support = np.full(n, -1, "i4")
        self.tied = np.zeros(n, bool)

    def offer(self, claim: Claim, signature: Signature, rows: Array, support: Array | int = -1) -> None:
        score = signature.specificity
        better = score > self.score[rows]
        self.tied[rows[(score == self.score[rows]) & (self.number[rows] != claim.number)]] = True
        won = rows[better]
        self.tied[won] = False
        self.score[won] = score
        self.number[won] = claim.number
        self.end[won] = claim.end
        self.support[won] = support[better] if isinstance(support, np.ndarray) else support


def settle(labels: Labels, claims: Claims, learned: LearnedClaims) -> None:
    """Decide all port and learned claims."""
    alone, quality = _alone(labels, claims)
    waiting = _waiting(labels, claims, alone, quality)
    _exchange(labels, waiting, learned)

    best = _Best(len(labels.flows))
    for item in waiting:
        found = item.support >= 0
        if item.signature.match == "content":  # only where the user says that it is
            found = item.support == said_support(item.claim.number)
        best.offer(item.claim, item.signature, item.claim.rows[found], item.support[found])
    _own(labels, best, SUPPORTED)
    if alone is not None:
        _own(labels, alone, ALONE, quality == _SOLID)
    _companions(labels, claims)
    for item in waiting:
        if item.signature.alone == "stream":
            _streams(labels, item)
    _leave_candidates(labels, waiting, best, quality)
    for kind, reason in ((claims.excluded, EXCLUDED), (claims.failed, FAILED), (claims.contradicted, CONTRADICTED)):
        for claim in kind:
            labels.candidate(_supported_rows(labels, claim), claim.number, reason)


def _supported_rows(labels: Labels, claim: Claim) -> Array:
    """The rows of a claim; of a generic signature's only those that a host supports, for the others say nothing."""
    signature = labels.signatures.signatures[claim.number]
    if signature.alone == "probable":
        return claim.rows
    rows: Array = claim.rows[labels.supported(claim.number, signature.support, *labels.end_keys(claim)) >= 0]
    return rows


def _alone(labels: Labels, claims: Claims) -> tuple[_Best | None, Array]:
    """Claims that need no support: the best per flow, and how good it is; the solid ones' hosts hold their roles."""
    signatures = labels.signatures.signatures
    wanted = [
        claim
        for claim in claims.fit
        if signatures[claim.number].alone == "probable" and signatures[claim.number].match != "content"
    ]
    quality = np.zeros(len(labels.flows) if wanted else 0, "u1")
    if not wanted:
        return None, quality
    best = _Best(len(labels.flows))
    for claim in wanted:
        best.offer(claim, signatures[claim.number], claim.rows)
    for claim in wanted:
        undecided, outnumbered = doubtful_direction(labels, claim.rows)
        quality[claim.rows[undecided | outnumbered]] = _WEAK
    quality[best.tied] = _TIED
    solid = [
        (claim, claim.rows[(best.number[claim.rows] == claim.number) & (quality[claim.rows] == _SOLID)])
        for claim in wanted
    ]
    by_sender = [(claim, rows) for claim, rows in solid if signatures[claim.number].server_is == "sender"]
    plain = [
        (claim, rows)
        for claim, rows in solid
        if not signatures[claim.number].either_initiates and signatures[claim.number].server_is != "sender"
    ]
    for claim, rows in plain + by_sender:
        if signatures[claim.number].server_is == "sender":
            _swap_senders(labels, rows, claim.end)
        labels.hold_roles(rows, claim.number, claim.end)
    for claim, rows in solid:
        if signatures[claim.number].either_initiates:
            _swap_initiators(labels, claim, rows)
            labels.hold_roles(rows, claim.number, claim.end)
    return best, quality


def _swap_senders(labels: Labels, rows: Array, end: int) -> None:
    """The component's own side is who sends more, whichever port matched."""
    flows = labels.flows
    orig = flows.orig_payload[rows] * 1.0 + flows.orig_packets[rows]
    resp = flows.resp_payload[rows] * 1.0 + flows.resp_packets[rows]
    sender = np.where(orig > resp, 1, 0)
    labels.flags[rows[sender != end]] |= SWAPPED


def _swap_initiators(labels: Labels, claim: Claim, rows: Array) -> None:
    """Either side may open this connection: where the originator is the server by other flows, swap the roles.

    A host is surely a server when it listens for another component of the product, or when it is the responder
    of a flow whose originator is neither that nor ever a responder.
    """
    signature = labels.signatures.signatures[claim.number]
    listener, peer = labels.keys(rows, claim.end), labels.keys(rows, 1 - claim.end)
    others = (Support("listener", (Hold(f"{signature.product}.*", "listener"),)),)
    orig_sure = labels.roles.supported(others, peer, peer) >= 0
    resp_sure = labels.roles.supported(others, listener, listener) >= 0
    sure = distinct(listener[~member(peer, distinct(listener)) & ~orig_sure])
    orig_sure |= member(peer, sure)
    resp_sure |= member(listener, sure)
    labels.flags[rows[orig_sure & ~resp_sure]] |= SWAPPED


def _waiting(labels: Labels, claims: Claims, alone: _Best | None, quality: Array) -> list[_Waiting]:
    """Claims that need support: generic ones, and flows where port and role alone do not decide."""
    waiting = []
    for claim in claims.fit:
        signature = labels.signatures.signatures[claim.number]
        supports = signature.support
        if signature.alone == "probable" and signature.match != "content" and alone is not None:
            doubtful = claim.rows[quality[claim.rows] != _SOLID]
            if not len(doubtful):
                continue
            claim = Claim(claim.number, doubtful, claim.end)
            supports = supports or (Support("listener", (Hold(f"{signature.product}.*", "listener"),)),)
        listener, peer = labels.end_keys(claim)
        enough = (labels.flows.evidence[claim.rows] & bits_of(signature.content_at_port)) != 0
        support = np.where(enough, BY_CONTENT, -1).astype("i4")
        waiting.append(_Waiting(claim, signature, supports, listener, peer, support))
    return waiting


def _exchange(labels: Labels, waiting: list[_Waiting], learned: LearnedClaims) -> None:
    """Try every waiting claim until no host holds a new role. Ends: each round but the last adds a (host, role)."""
    for item in waiting:
        enough = item.claim.rows[item.support == BY_CONTENT]
        if len(enough):
            labels.hold_roles(enough, item.claim.number, item.claim.end)
    for _ in range(len(labels.signatures.signatures) + 2):
        fresh = learned.advance(labels)
        for item in waiting:
            rows = item.advance(labels)
            if not len(rows) or item.signature.match == "content":
                continue
            if item.signature.server_is == "sender":
                _swap_senders(labels, rows, item.claim.end)
            fresh |= labels.hold_roles(rows, item.claim.number, item.claim.end)
        if not fresh:
            return


def _own(labels: Labels, best: _Best, how: int, allowed: Array | None = None) -> None:
    """Give the untied winners their flows, where nobody has them."""
    won = (best.number >= 0) & ~best.tied & (labels.component < 0)
    if allowed is not None:
        won &= allowed
    for number in distinct(best.number[won]):
        rows = np.flatnonzero(won & (best.number == number))
        grade = labels.grade_of(labels.signatures.signatures[number], PROBABLE)
        labels.own(rows, number, grade, how, end=best.end[rows], support=best.support[rows])


def _companions(labels: Labels, claims: Claims) -> None:
    """RTCP uses the port above its RTP port (RFC 3550, section 11): give it to the stream's owner."""
    for claim in claims.companions:
        rows = claim.rows[labels.component[claim.rows] < 0]
        owned = np.flatnonzero((labels.component == claim.number) & (labels.how == SUPPORTED))
        if not len(rows) or not len(owned):
            continue
        streams = [_stream_keys(labels, owned[labels.end[owned] == side], side, 0) for side in (0, 1)]
        beside = member(_stream_keys(labels, rows, claim.end, 1), np.sort(np.concatenate(streams)))
        labels.own(rows[beside], claim.number, PROBABLE, COMPANION, end=claim.end)


def _stream_keys(labels: Labels, rows: Array, end: int, above: int) -> Array:
    """One key per flow of (listening host, its port less `above`, other host)."""
    flows = labels.flows
    words, port = (flows.orig_addr, flows.orig_port) if end else (flows.resp_addr, flows.resp_port)
    near = endpoint_keys(words[rows], flows.version[rows], port[rows].astype("i8") - above)
    keys: Array = near ^ (labels.keys(rows, 1 - end) << np.uint64(1))
    return keys


def _streams(labels: Labels, item: _Waiting) -> None:
    """A range without support gives probable only to a one-way stream into it; its hosts hold no role for others."""
    flows = labels.flows
    if item.claim.end != 0:
        return
    rows = item.claim.rows
    rows = rows[labels.component[rows] < 0]
    into, back = flows.orig_packets[rows], flows.resp_packets[rows]
    rows = rows[(into >= STREAM_PACKETS) & (into >= STREAM_RATIO * back)]
    _swap_senders(labels, rows, item.claim.end)
    labels.own(rows, item.claim.number, PROBABLE, STREAM, end=item.claim.end)


def _opened_by_server(labels: Labels, signature: Signature, peer: Array) -> Array:
    """Whether the peer of a connection holds the role that its listener should hold."""
    supports = [item for item in signature.support if item.end == "listener" and signature.transport == "tcp"]
    held: Array = labels.roles.supported(supports, peer, peer) >= 0
    return held


def _leave_candidates(labels: Labels, waiting: list[_Waiting], best: _Best, quality: Array) -> None:
    products = len(labels.signatures.signatures)
    for item in waiting:
        claim, signature = item.claim, item.signature
        owner = labels.component[claim.rows]
        open_ = (owner < 0) | (owner >= products)
        if signature.match == "content":
            labels.candidate(claim.rows[open_ & (item.support >= 0)], claim.number, CONTENT_ONLY)
            continue
        labels.candidate(claim.rows[open_ & (item.support >= 0) & best.tied[claim.rows]], claim.number, AMBIGUOUS)
        rows = claim.rows[open_ & (item.support < 0)]
        if signature.alone != "probable":
            opened = _opened_by_server(labels, signature, item.peer[open_ & (item.support < 0)])
            labels.candidate(rows[~opened], claim.number, UNSUPPORTED)
            labels.candidate(rows[opened], claim.number, OPENED)
            continue
        tied = quality[rows] == _TIED
        labels.candidate(rows[tied], claim.number, AMBIGUOUS)
        undecided, outnumbered = doubtful_direction(labels, rows)
        labels.candidate(rows[undecided & ~tied], claim.number, UNDECIDED)
        labels.candidate(rows[outnumbered & ~tied], claim.number, FAN_IN)
