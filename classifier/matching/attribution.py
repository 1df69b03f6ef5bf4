"""The result of attribution: one component and grade per flow, and the reasons on request.

In: finished `Labels`. Out: `Attribution`. Next: `classifier.report`. Evidence, sentences, candidates and host roles are
made when asked for, from a few bytes per flow, so that millions of flows stay cheap.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import overload

import numpy as np

from classifier.decode.protocols import protocol_name
from classifier.evidence.marks import marks_of
from classifier.evidence.proofs import Proof, Proofs
from classifier.flows.table import DIRECTION_BASES, TCP_STATES, address_text, address_words, is_group
from classifier.matching.claims import doubtful_direction
from classifier.matching.disputes import Dispute, disputes
from classifier.matching.hosts import member
from classifier.matching.labels import (
    ALONE,
    BY_CONTENT,
    COMPANION,
    CONTENT,
    GROUP,
    LEARNED,
    NONE,
    PROTOCOL,
    SERVICE,
    STREAM,
    SUPPORTED,
    UNEXPECTED_PORT,
    UNSUPPORTED,
    Labels,
)
from classifier.matching.model import END_NAMES, LISTENER, TRANSPORTS, Array, Learned, Signature, SignatureSet
from classifier.matching.reasons import candidate_reason, direction_sentence, holds_sentence, where_sentence
from classifier.matching.roles import Heard, HostRoles, host_roles

_TRANSPORT_NAMES = {number: name for name, number in TRANSPORTS.items()}

Evidence = list[tuple[str, str]]  # (code, sentence)


class Candidates(Sequence[tuple[str, int, str]]):
    """`(component id, flow id, reason)` of what could not own a flow; sorted by flow, then component.

    `component` (i2, index into `Attribution.components`), `flow` (i4) and `reason` (u1, index into `labels.REASONS`)
    are the same as columns; a reason's sentence is made when an entry is looked at.
    """

    def __init__(self, labels: Labels) -> None:
        self.component, self.flow, self.reason = labels.finished_candidates()
        self._labels = labels
        self._shared: dict[tuple[int, int], str] = {}

    def __len__(self) -> int:
        return len(self.flow)

    @overload
    def __getitem__(self, index: int) -> tuple[str, int, str]: ...
    @overload
    def __getitem__(self, index: slice) -> list[tuple[str, int, str]]: ...
    def __getitem__(self, index: int | slice) -> tuple[str, int, str] | list[tuple[str, int, str]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        component, flow = int(self.component[index]), int(self.flow[index])
        reason = int(self.reason[index])
        sentence = self._shared.get((component, reason))
        if sentence is None:
            sentence = candidate_reason(self._labels, component, flow, reason)
            if reason == UNSUPPORTED:  # the only one that names no host, no port and no content
                self._shared[component, reason] = sentence
        return self._labels.components[component], flow, sentence

    def __iter__(self) -> Iterator[tuple[str, int, str]]:
        return (self[number] for number in range(len(self)))

    def of_flow(self, flow_id: int) -> list[tuple[str, int, str]]:
        """The candidates of one flow."""
        first, last = np.searchsorted(self.flow, [flow_id, flow_id + 1])
        return self[int(first) : int(last)]


class Attribution:
    """Labels of all flows and link rows.

    components: component ids, the index space of the arrays. component: i2 per flow. grade: u1 per flow, index into
    `GRADES`. link_component: i2 per link row.
    """

    def __init__(
        self,
        labels: Labels,
        link_component: Array,
        learned: Sequence[Learned],
        proofs: Proofs,
        heard: Heard,
    ) -> None:
        self.components: tuple[str, ...] = tuple(labels.components)
        self.component: Array = labels.component
        self.grade: Array = labels.grade
        self.link_component: Array = link_component
        self.candidates = Candidates(labels)
        self.learned: tuple[Learned, ...] = tuple(learned)
        self.proofs = proofs
        self._labels = labels
        self._heard = heard
        del labels.reserved, labels.to_group  # only needed while deciding

    @property
    def signatures(self) -> SignatureSet:
        return self._labels.signatures

    @property
    def roles(self) -> dict[str, list[str]]:
        """Role words per address text, strongest first; hosts without a role are not in it."""
        return self.host_roles.words

    def have_roles(self, words: Array, version: Array) -> Array:
        """Which addresses, (n, 4) u4 words and (n,) versions, are in `roles`: (n,) bool."""
        return self.host_roles.has(words, version)

    @property
    def roles_left_out(self) -> int:
        """(host, role) pairs beyond `roles.MAX_ROLES`, which `roles` does not have."""
        return self.host_roles.left_out

    @cached_property
    def host_roles(self) -> HostRoles:
        """The roles with their reasons."""
        return host_roles(self._labels, self.proofs, self._heard)

    def evidence(self, flow_id: int) -> list[str]:
        """Codes of what the label of a flow rests on: `["port:tcp/8600", "role:listener"]`."""
        return [code for code, _ in self._evidence(flow_id)]

    def evidence_lists(self) -> list[list[str]]:
        """`evidence` of every flow, for tables: equal lists are one object, made once."""
        labels, flows = self._labels, self._labels.flows
        ports = np.where(labels.end == 1, flows.orig_port, flows.resp_port).astype("u8")
        state = np.where(labels.how == NONE, flows.tcp_state, flows.direction_basis).astype("u8")
        small = ports | state << np.uint64(16) | labels.how.astype("u8") << np.uint64(24)
        small |= labels.component.astype("u8") << np.uint64(32)
        small |= (labels.end.astype("u8") | labels.flags.astype("u8") << np.uint64(1)) << np.uint64(48)
        small |= flows.unresolved.astype("u8") << np.uint64(56) | (flows.proto == 6).astype("u8") << np.uint64(57)
        # what else the codes depend on: the protocol, the group, the host and its other components, the content's bits
        other = (labels.support + 1).astype("u8")
        rows = np.flatnonzero(labels.how == PROTOCOL)
        other[rows] = flows.proto[rows].astype("u8")
        rows = np.flatnonzero(np.isin(labels.how, (SERVICE, GROUP)) & is_group(flows.resp_addr, flows.version))
        other[rows] = labels.keys(rows, 0)
        for side in (0, 1):
            rows = np.flatnonzero(np.isin(labels.how, (ALONE, LEARNED)) & (labels.end == side))
            other[rows] = labels.keys(rows, side)
        group = np.unique(small, return_inverse=True)[1]
        for more in (other, labels.support, self._only_said(np.arange(len(flows))), flows.evidence):
            kinds, rank = np.unique(more, return_inverse=True)
            group = np.unique(group * len(kinds) + rank, return_inverse=True)[1]
        _, first = np.unique(group, return_index=True)
        lists = [self.evidence(flow) for flow in first.tolist()]
        return [lists[number] for number in group.tolist()]

    def reasons(self, flow_id: int) -> list[str]:
        """The evidence as sentences, one per code; what a record showed names the record."""
        found = self.statements(flow_id)
        return [f"{sentence} Record {source.record}." if source else sentence for _, sentence, source in found]

    def statements(self, flow_id: int) -> list[tuple[str, str, Proof | Learned | None]]:
        """`(code, sentence, what a record showed)` of everything that a label rests on."""
        return [(code, sentence, self._source(flow_id, code)) for code, sentence in self._evidence(flow_id)]

    def listening_end(self, rows: Array) -> Array:
        """Per flow the end whose port counts: 0 the responder, 1 the originator."""
        end: Array = self._labels.end[rows]
        return end

    def own_side(self, rows: Array) -> Array:
        """`Labels.own_side`."""
        return self._labels.own_side(rows)

    def doubtful(self, rows: Array) -> Array:
        """Per flow, whether nothing tells which side listens (then no signature of the responder's port owns it)."""
        undecided, outnumbered = doubtful_direction(self._labels, rows)
        either: Array = undecided | outnumbered
        return either

    def against(self, flow_id: int) -> list[str]:
        """What the payload shows that does not fit the component which owns the flow."""
        number = int(self.component[flow_id])
        bits = int(self._labels.flows.evidence[flow_id]) & self._labels.vetoes.get(number, 0)
        return [mark.sentence for mark in marks_of(bits)]

    @cached_property
    def disputes(self) -> list[Dispute]:
        """Where the capture contradicts what the user says of the site."""
        return disputes(self._labels, self.learned, self.host_roles if self._labels.said else None)

    # --- evidence ---------------------------------------------------------------------------------------------

    def _evidence(self, flow: int) -> Evidence:
        return self._of_place(flow) + self._of_content(flow)

    def _of_place(self, flow: int) -> Evidence:
        """Evidence of ports, addresses and hosts."""
        labels, flows = self._labels, self._labels.flows
        how, number, end = int(labels.how[flow]), int(labels.component[flow]), int(labels.end[flow])
        if how == SERVICE:
            return self._of_service(flow, number, end)
        if how == PROTOCOL:
            name = protocol_name(int(flows.proto[flow]))
            return [(f"protocol:{name}", f"The IP protocol is {name}.")]
        if how == CONTENT:
            return []
        if how == LEARNED:
            return self._of_learned(flow, end)
        if how in (ALONE, STREAM, COMPANION, SUPPORTED, GROUP):
            return self._of_signature(flow, how, labels.signatures.signatures[number], end)
        return self._of_nothing(flow)

    def _port(self, flow: int, end: int) -> tuple[str, int]:
        flows = self._labels.flows
        transport = _TRANSPORT_NAMES.get(int(flows.proto[flow]), "")
        return transport, int((flows.orig_port if end else flows.resp_port)[flow])

    def _address(self, flow: int, side: int) -> str:
        flows = self._labels.flows
        return address_text((flows.orig_addr if side else flows.resp_addr)[flow], int(flows.version[flow]))

    def _of_service(self, flow: int, number: int, end: int) -> Evidence:
        transport, port = self._port(flow, end)
        service = self.signatures.services[number - len(self.signatures.signatures)]
        evidence = []
        group = self._address(flow, 0) if service.groups else ""
        if group in service.groups:
            evidence.append((f"group:{group}", f"{group} is a group of {service.label}."))
        side = "originator" if end else "responder"
        return [
            *evidence,
            (f"service:{service.id}", f"{transport}/{port} is a port of {service.label}, by the curated table."),
            (f"port:{transport}/{port}", f"It is the port of {self._address(flow, end)}, the {side}."),
        ]

    def _of_content(self, flow: int) -> Evidence:
        """What the payload shows, whether or not the label rests on it; what a record proved names the record."""
        bits = int(self._labels.flows.evidence[flow])
        if not bits:
            return []
        codes = [(f"content:{mark.code}", mark) for mark in marks_of(bits)]
        return [(code, mark.sentence + _detail(self._source(flow, code))) for code, mark in codes]

    def _source(self, flow: int, code: str) -> Proof | Learned | None:
        """The record that a piece of evidence comes from, the first one where there are several."""
        kind, _, name = code.partition(":")
        if kind == "content":
            return next((proof for proof in self.proofs.of(flow) if proof.code == name), None)
        if kind == "learned":
            end = int(self._labels.end[flow])
            transport, port = self._port(flow, end)
            return self._endpoints.get((transport, port, self._address(flow, end)))
        return None

    def _of_learned(self, flow: int, end: int) -> Evidence:
        transport, port = self._port(flow, end)
        address = self._address(flow, end)
        evidence: Evidence = []
        item = self._endpoints.get((transport, port, address))
        if item is not None:
            instance = f" for the instance {ascii(item.instance)[1:-1]}" if item.instance else ""
            source = {"ssrp": "An SSRP reply", "rtsp": "An RTSP session"}.get(item.by, "Content")
            evidence.append((f"learned:{item.by}", f"{source} named {address} {transport}/{port}{instance}."))
        evidence.append((f"port:{transport}/{port}", f"{address} {transport}/{port} is the learned endpoint."))
        return evidence + self._support(flow, end)

    @cached_property
    def _endpoints(self) -> dict[tuple[str, int, str], Learned]:
        """Learned endpoints by transport, port and address as `address_text` writes it; the first of each."""
        endpoints: dict[tuple[str, int, str], Learned] = {}
        for item in self.learned:
            try:
                version, words = address_words(item.address)
            except ValueError:
                continue
            endpoints.setdefault((item.transport, item.port, address_text(words, version)), item)
        return endpoints

    def _support(self, flow: int, end: int) -> Evidence:
        support = int(self._labels.support[flow])
        if support < 0 or support == BY_CONTENT:
            return []
        number, role, flow_end = support >> 2, support >> 1 & 1, support & 1
        component = self.components[number]
        address = self._address(flow, end if flow_end == LISTENER else 1 - end)
        if self._only_said(np.array([flow]))[0]:
            host = next(
                item for item in self.signatures.hosts if (item.address, item.component) == (address, component)
            )
            return [("site:host", f"{address} is {component} by {host.origin}.")]
        return [(f"host:{component}", holds_sentence(self._labels, address, component, END_NAMES[role]))]

    def _only_said(self, rows: Array) -> Array:
        """Per flow, whether only the user says that the host which supports it listens for that component."""
        labels = self._labels
        only = np.zeros(len(rows), bool)
        for number, said in labels.said.items():
            by_it = (labels.support[rows] >= 0) & (labels.support[rows] >> 1 == number << 1 | LISTENER)
            for side in (0, 1):
                here = np.flatnonzero(by_it & (labels.end[rows] ^ (labels.support[rows] & 1) == side))
                keys = labels.keys(rows[here], side)
                only[here] = member(keys, said) & ~member(keys, labels.shown(number))
        return only

    def _of_signature(self, flow: int, how: int, signature: Signature, end: int) -> Evidence:
        transport, port = self._port(flow, end)
        flags = int(self._labels.flags[flow])
        evidence: Evidence = []
        if how == GROUP:
            group = self._address(flow, 0)
            evidence.append((f"group:{group}", f"{group} is the multicast address of {signature.name}."))
        evidence.append((f"port:{transport}/{port}", where_sentence(signature, transport, port, how == GROUP)))
        if flags & UNEXPECTED_PORT:
            text = f"{transport}/{port} is outside {signature.ports.text()}, the ports of {signature.name}."
            evidence.append(("unexpected-port", text))
        if how == GROUP:
            return evidence
        if signature.is_range:
            evidence.append((f"range:{signature.ports.text()}", f"The port is in the range {signature.ports.text()}."))
        evidence.append(self._role(flow, signature, end))
        if how == STREAM:
            evidence.append(("stream:one-way", "The packets go one way into the port, like a stream."))
        if how == COMPANION:
            evidence.append(("rtcp:port+1", "The same two hosts have a stream on the port below: RTCP's place."))
        if how == ALONE:
            return evidence + self._neighbours(flow, signature, end)
        return evidence + self._support(flow, end)

    def _role(self, flow: int, signature: Signature, end: int) -> tuple[str, str]:
        address = self._address(flow, end)
        if signature.match == "receiver":
            return "role:receiver", f"{address} receives on this port."
        if signature.transport == "udp" and signature.match == "either":
            side = "source" if end else "destination"
            return f"side:{side}", f"The port is the flow's {side} port."
        basis = DIRECTION_BASES[int(self._labels.flows.direction_basis[flow])]
        code = "listener" if self._labels.strong[flow] else basis
        return f"role:{code}", direction_sentence(basis, address, signature.transport)

    def _neighbours(self, flow: int, signature: Signature, end: int) -> Evidence:
        """Other components of the product that the listening host has."""
        key = int(self._labels.keys(np.array([flow]), end)[0])
        address = self._address(flow, end)
        return [
            (f"host:{name}", holds_sentence(self._labels, address, name, "listener"))
            for name in self._held.get(key, ())
            if name != signature.id and name.startswith(f"{signature.product}.")
        ]

    @cached_property
    def _held(self) -> dict[int, list[str]]:
        """Components that each host listens for."""
        held: dict[int, list[str]] = {}
        for number, signature in enumerate(self.signatures.signatures):
            for key in self._labels.roles.get(number, LISTENER).tolist():
                held.setdefault(key, []).append(signature.id)
        return held

    def _of_nothing(self, flow: int) -> Evidence:
        flows = self._labels.flows
        if flows.unresolved[flow]:
            return [("fragments:unresolved", "Later IP fragments whose first fragment, with the ports, is not there.")]
        state = TCP_STATES[int(flows.tcp_state[flow])]
        if flows.proto[flow] == TRANSPORTS["tcp"] and state in ("attempt", "refused"):
            text = "refused" if state == "refused" else "not answered"
            return [(f"tcp:{state}", f"The connection was {text}, so it shows no service.")]
        return []


def _detail(proof: Proof | Learned | None) -> str:
    """What a proof names: text of the payload, escaped."""
    detail = proof.detail if isinstance(proof, Proof) else ""
    return f" ({ascii(detail)[1:-1]})" if detail else ""
