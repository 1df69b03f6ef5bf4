"""What each host does, in the words of the signatures, and what shows it.

In: finished labels, payload proofs, who asked for groups, what RTSP sessions set up. Out: `HostRoles`: words per
address, strongest first, each with its reasons. Next: the report's hosts table, `classifier.explain`.

A role comes from flows that a component owns (so from evidence, not from a port somewhere), from what a host said of
itself, or from the user. A camera is who sends media and answers RTSP or ONVIF, and is no server of a product.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from classifier.arrays import distinct
from classifier.decode.hints import RTSP_REPLY, hint_bit
from classifier.evidence.collect import Membership
from classifier.evidence.marks import mark_bit
from classifier.evidence.proofs import NO_PROOFS, Proof, Proofs
from classifier.evidence.sessions import Medium
from classifier.flows.table import FlowTable, address_texts, is_group
from classifier.matching.hosts import host_keys, keys_of, member
from classifier.matching.labels import Labels
from classifier.matching.model import LISTENER, PEER, Array, Hold, Support

MAX_ROLES = 65536
"""(host, role) pairs kept; products before services."""
REASONS_KEPT = 4
"""Reasons kept per host and role."""
INSIDE_RTSP = 1 << 16
"""Payload bytes of the answering side of an RTSP connection that are more than talk: media inside it (ours)."""

CAMERA = "camera"
QUERIERS = {4: "IGMP querier", 6: "MLD querier"}
UPNP_DEVICE = "UPnP device"
_UPNP_TOKEN = "upnp/"  # every device names its UPnP version in SERVER (UPnP Device Architecture 1.1, section 1.2.2)
_RTSP = "other.rtsp"
_UDP = 17


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that shows a role. `record`: from 1, 0 where a whole flow shows it; `flow`: -1 without one."""

    sentence: str
    flow: int = -1
    capture: int = 0
    record: int = 0
    ts_ns: int = 0


@dataclass(frozen=True, slots=True)
class Heard:
    """What the pass heard beside flows: group memberships and media of RTSP sessions."""

    memberships: Sequence[Membership] = ()
    media: Sequence[Medium] = ()


Rank = tuple[int, int, int]  # lower is stronger


@dataclass(frozen=True, slots=True)
class _Claim:
    """Hosts that have a role: their keys, and the flow (-1: none) that shows it of each.

    `side`: where in these flows the hosts are; `address`: the host's, where no flow names it.
    """

    word: str
    rank: Rank
    sentence: str
    source: tuple[int, int, int]  # capture, record, ts_ns of a Reason
    keys: Array
    rows: Array
    side: int = 0
    address: str = ""


class HostRoles:
    """Roles of all hosts. `words`: per address, strongest first. `left_out`: claims beyond `MAX_ROLES`."""

    def __init__(self, flows: FlowTable, claims: Sequence[_Claim], left_out: int) -> None:
        self._claims = claims
        self._flow = np.concatenate([np.zeros(0, "i8"), *(item.rows for item in claims)])
        self._claim = np.repeat(np.arange(len(claims)), [len(item.keys) for item in claims])
        keys = np.concatenate([np.zeros(0, np.uint64), *(item.keys for item in claims)])
        self._hosts, shown, host = np.unique(keys, return_index=True, return_inverse=True)
        self._names = sorted({item.word for item in claims})
        ranks = sorted({item.rank for item in claims})
        wide = max(len(self._names), 1)
        word = np.array([self._names.index(item.word) for item in claims], "i8")
        self._pair = host * wide + word[self._claim]
        pairs, first, number = np.unique(self._pair, return_index=True, return_inverse=True)
        kept = np.zeros(len(pairs), bool)
        kept[np.argsort(first)[:MAX_ROLES]] = True
        self.left_out = left_out + int((~kept[number]).sum())
        rank = np.full(len(pairs), len(ranks))
        np.minimum.at(rank, number, np.array([ranks.index(item.rank) for item in claims], "i8")[self._claim])
        pairs, rank = pairs[kept], rank[kept]
        pairs = pairs[np.lexsort((pairs, rank, pairs // wide))]
        of_host, starts = np.unique(pairs // wide, return_index=True)
        self._with_role = self._hosts[of_host]
        texts = self._texts(flows, shown[of_host])
        names = [self._names[k] for k in (pairs % wide).tolist()]
        ends = [*starts[1:].tolist(), len(pairs)]
        self.words: dict[str, list[str]] = {
            text: names[start:end] for text, start, end in zip(texts, starts.tolist(), ends, strict=False)
        }

    def _texts(self, flows: FlowTable, which: Array) -> list[str]:
        """Addresses of hosts, each by one of the claimed."""
        claim, row = self._claim[which], self._flow[which]
        out = np.array([item.address for item in self._claims], object)[claim]
        for side, words in ((0, flows.resp_addr), (1, flows.orig_addr)):
            ours = np.array([not item.address and item.side == side for item in self._claims], bool)[claim]
            out[ours] = address_texts(words[row[ours]], flows.version[row[ours]])
        texts: list[str] = out.tolist()
        return texts

    def has(self, words: Array, version: Array) -> Array:
        """Which addresses, (n, 4) u4 words and (n,) versions, have a role: (n,) bool."""
        return member(host_keys(words, version), self._with_role)

    def reasons(self, address: str, word: str) -> list[Reason]:
        """What shows that a host has a role, at most `REASONS_KEPT`; empty when it has not."""
        if word not in self.words.get(address, ()):
            return []
        host = int(np.searchsorted(self._hosts, keys_of([address])[0]))
        found: dict[str, Reason] = {}
        for k in np.flatnonzero(self._pair == host * len(self._names) + self._names.index(word)).tolist():
            claim = self._claims[self._claim[k]]
            if len(found) < REASONS_KEPT:
                found.setdefault(claim.sentence, Reason(claim.sentence, int(self._flow[k]), *claim.source))
        return list(found.values())


def host_roles(labels: Labels, proofs: Proofs = NO_PROOFS, heard: Heard | None = None) -> HostRoles:
    """Products' own sides first, then who uses them, then other services."""
    heard = heard or Heard()
    found = _Found(labels)
    _of_site(labels, found)
    _of_products(labels, found)
    _peers_that_are(labels, found)
    _cameras(labels, found, proofs, heard.media)
    _devices(labels, found, proofs)
    _queriers(found, heard.memberships)
    _of_services(labels, found)
    return HostRoles(labels.flows, found.claims, found.left_out)


def _of_site(labels: Labels, found: _Found) -> None:
    """What the user says, of hosts that are there."""
    for host in labels.signatures.hosts:
        number = labels.numbers[host.component]
        word = labels.signatures.signatures[number].listener_role
        if labels.is_present(host.address):
            found.say(host.address, word, (0, 0, number), Reason(f"{host.origin} says so."))


def _of_products(labels: Labels, found: _Found) -> None:
    signatures = labels.signatures.signatures
    present = distinct(labels.component)
    for number in present[(present >= 0) & (present < len(signatures))]:
        signature = signatures[number]
        rows = np.flatnonzero(labels.component == number)
        own = labels.own_side(rows)
        quiet = signature.transport == "udp" and signature.match == "responder"
        for role, word in ((LISTENER, signature.listener_role), (PEER, signature.peer_role)):
            verb = "listens for" if role == LISTENER else "is the other side of"
            for side in (0, 1):
                here = rows[(own == side) == (role == LISTENER)]
                if quiet and side == 0:
                    here = here[labels.flows.resp_packets[here] > 0]
                # a client of a component that everybody has says less than one of a component of its own
                rank = (role, int(role == PEER and signature.generic), int(number))
                found.add(here, side, word, rank, f"It {verb} {signature.id}")


def _peers_that_are(labels: Labels, found: _Found) -> None:
    """Peers that are a program of their own by what else they do (`peer_is`)."""
    for number, signature in enumerate(labels.signatures.signatures):
        known = signature.peer_is
        if known is None:
            continue
        rows = np.flatnonzero(labels.component == number)
        side = 1 - labels.own_side(rows)
        for here in (0, 1):
            mine = rows[side == here]
            keys = labels.keys(mine, here)
            fits = _holds(labels, keys, known.holds) & ~_holds(labels, keys, known.unless)
            also = " and ".join(hold.component for hold in known.holds[:2])
            found.add(mine[fits], here, known.role, (LISTENER, 1, number), f"It uses {signature.id}, and {also} too")


def _holds(labels: Labels, keys: Array, holds: tuple[Hold, ...]) -> Array:
    held: Array = labels.roles.supported((Support("listener", holds),), keys, keys) >= 0
    return held


# --- cameras ------------------------------------------------------------------------------------------------------


def _cameras(labels: Labels, found: _Found, proofs: Proofs, media: Sequence[Medium]) -> None:
    flows = labels.flows
    rank = (2, 0, 0)
    servers = _servers(labels)
    rtsp = (flows.evidence & mark_bit("rtsp")) != 0
    replied = (flows.resp_hints.astype("i8") & hint_bit(RTSP_REPLY)) != 0
    asked = (flows.evidence & mark_bit("onvif")) != 0
    answers = [
        (np.flatnonzero(rtsp & replied), 0, "It answers RTSP"),
        (np.flatnonzero(asked & (flows.proto != _UDP) & (flows.resp_payload > 0)), 0, "It answers ONVIF requests"),
    ]
    sends = [
        *_media_senders(labels),
        (np.flatnonzero((flows.evidence & mark_bit("mjpeg")) != 0), 0, "It sends a stream of JPEG pictures"),
        (np.flatnonzero(rtsp & (flows.resp_payload >= INSIDE_RTSP)), 0, "It sends media inside an RTSP connection"),
    ]
    named = {item.sender: item for item in reversed(media) if not item.by_digifort}
    sender_keys = keys_of(named)
    senders = distinct(np.concatenate([sender_keys, *(labels.keys(rows, side) for rows, side, _ in sends)]))
    answering = distinct(np.concatenate([labels.keys(rows, side) for rows, side, _ in answers]))
    both = senders[member(senders, answering)]
    cameras = both[~member(both, distinct(servers))]
    for rows, side, sentence in (*answers, *sends):
        found.add(rows[member(labels.keys(rows, side), cameras)], side, CAMERA, rank, sentence)
    for address, item in named.items():
        if member(keys_of([address]), cameras)[0]:
            why = Reason("An RTSP session with it set up media", -1, item.capture, item.flow.record, item.flow.ts_ns)
            found.say(address, CAMERA, rank, why)
    for row, side, proof in _said(labels, proofs, "onvif"):
        if int(flows.proto[row]) == _UDP and not member(labels.keys(np.array([row]), side), servers)[0]:
            found.add(np.array([row]), side, CAMERA, rank, "It announces itself as an ONVIF video transmitter", proof)
    # what a server of a product opens RTSP to, or takes JPEG pictures from, is a camera, whatever else is seen
    number = labels.numbers.get(_RTSP, -2)
    rows = np.flatnonzero((labels.component == number) | ((flows.evidence & mark_bit("mjpeg")) != 0))
    read = member(labels.keys(rows, 1), servers) & ~member(labels.keys(rows, 0), servers)
    found.add(rows[read], 0, CAMERA, rank, "A server of a product reads its video")


def _servers(labels: Labels) -> Array:
    """Keys of hosts that the capture shows to listen for a component of a product, by TCP or without support."""
    held = [
        labels.shown(number) if number in labels.said else labels.roles.get(number, LISTENER)
        for number, signature in enumerate(labels.signatures.signatures)
        if (signature.alone == "probable" or signature.transport == "tcp") and not signature.groups
    ]
    return distinct(np.concatenate([np.zeros(0, np.uint64), *held]))


def _media_senders(labels: Labels) -> Iterable[tuple[Array, int, str]]:
    flows = labels.flows
    media = (flows.evidence & (mark_bit("rtp") | mark_bit("mpegts"))) != 0
    media &= flows.proto == _UDP
    back = flows.resp_payload > flows.orig_payload
    for side, which in ((1, media & ~back), (0, media & back)):
        yield np.flatnonzero(which), side, "It sends media"


# --- what hosts say of themselves -----------------------------------------------------------------------------------


def _devices(labels: Labels, found: _Found, proofs: Proofs) -> None:
    for row, side, proof in _said(labels, proofs, "ssdp"):
        if _UPNP_TOKEN in proof.detail.lower():
            found.add(np.array([row]), side, UPNP_DEVICE, (2, 1, 0), "It answers or announces by SSDP", proof)


def _queriers(found: _Found, memberships: Sequence[Membership]) -> None:
    """General queries come from the querier of a network; 0.0.0.0 is a switch without an address (RFC 4541, 2.1.1)."""
    for item in memberships:
        if item.kind == "query" and not item.group and item.host not in ("0.0.0.0", "::"):
            word = QUERIERS[6 if ":" in item.host else 4]
            why = Reason("It asks all hosts for their groups", -1, item.capture, item.record, item.ts_ns)
            found.say(item.host, word, (2, 2, 0), why)


def _said(labels: Labels, proofs: Proofs, code: str) -> Iterable[tuple[int, int, Proof]]:
    """`(flow, side of the speaker: 1 originator, proof)` of every proof of a mark."""
    flows = labels.flows
    known = np.array(proofs.flows(), "i8")
    for row in known[(flows.evidence[known] & mark_bit(code)) != 0].tolist():
        for proof in proofs.of(row):
            if proof.code == code:
                yield row, int((proof.side == 1) == bool(flows.turned[row])), proof


# --- services -------------------------------------------------------------------------------------------------------


def _of_services(labels: Labels, found: _Found) -> None:
    """Who answers as a service."""
    offset = len(labels.signatures.signatures)
    for index, service in enumerate(labels.signatures.services):
        if not service.role:
            continue
        rows = np.flatnonzero(labels.component == offset + index)
        for side in (0, 1):
            here = rows[labels.end[rows] == side]
            sent = (labels.flows.orig_packets if side else labels.flows.resp_packets)[here]
            found.add(here[sent > 0], side, service.role, (3, 0, offset + index), f"It answers as {service.component}")


class _Found:
    """Claims in the order in which they were made: the first `MAX_ROLES` pairs of host and role count."""

    def __init__(self, labels: Labels) -> None:
        self.labels = labels
        self.claims: list[_Claim] = []
        self.left_out = 0

    def add(self, rows: Array, side: int, word: str, rank: Rank, sentence: str, proof: Proof | None = None) -> None:
        """The hosts on one side (0 responder, 1 originator) of flows have a role, by the first flow of each."""
        flows = self.labels.flows
        if not len(rows) or not word:
            return
        if side == 0:
            rows = rows[~is_group(flows.resp_addr[rows], flows.version[rows])]
        keys, first = np.unique(self.labels.keys(rows, side), return_index=True)
        self.left_out += max(len(first) - MAX_ROLES, 0)
        order = np.argsort(first)[:MAX_ROLES]
        source = (proof.capture, proof.record, proof.ts_ns) if proof else (0, 0, 0)
        self.claims.append(_Claim(word, rank, sentence, source, keys[order], rows[first[order]], side))

    def say(self, address: str, word: str, rank: Rank, reason: Reason) -> None:
        """A host has a role."""
        source = (reason.capture, reason.record, reason.ts_ns)
        flow = np.array([reason.flow])
        self.claims.append(_Claim(word, rank, reason.sentence, source, keys_of([address]), flow, address=address))
