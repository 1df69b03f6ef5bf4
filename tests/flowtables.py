"""Small synthetic flow tables: what attribution sees of a capture, written by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from classifier.columns import NO_VLAN
from classifier.decode.protocols import LINK_CODES
from classifier.evidence.marks import mark_bit
from classifier.flows.table import DIRECTION_BASES, TCP_STATES, FlowTable, LinkTable, address_words, is_group
from classifier.matching import Attribution, Learned, SignatureSet, attribute, load_signatures

PROTOCOLS = {"tcp": 6, "udp": 17, "icmp": 1, "igmp": 2, "esp": 50}

_NARROW = {
    "version": "u1",
    "proto": "i4",
    "orig_port": "u2",
    "resp_port": "u2",
    "direction_basis": "u1",
    "tcp_state": "u1",
    "vlan": "i4",
    "capture": "i4",
    "row": "i4",
    "unresolved": "?",
    "turned": "?",
    "orig_hints": "u2",
    "resp_hints": "u2",
}


def flow(
    transport: str,
    orig: str,
    resp: str,
    *,
    basis: str | None = None,
    state: str | None = None,
    packets: tuple[int, int] = (10, 8),
    payload: tuple[int, int] = (1000, 800),
    unresolved: bool = False,
    evidence: Sequence[str] = (),
) -> dict[str, Any]:
    """One flow: `flow("tcp", "10.0.0.9:50000", "10.0.0.1:8600")`.

    packets and payload: (originator's, responder's); evidence: codes of marks.
    """
    orig_address, _, orig_port = orig.rpartition(":")
    resp_address, _, resp_port = resp.rpartition(":")
    version, orig_words = address_words(orig_address.strip("[]"))
    _, resp_words = address_words(resp_address.strip("[]"))
    if basis is None:
        basis = "syn" if transport == "tcp" else "first_packet"
        if is_group(np.array([resp_words], "u4"), np.array([version]))[0]:
            basis = "group"
    if state is None:
        state = ("established" if basis in ("syn", "syn_ack") else "midstream") if transport == "tcp" else ""
    return {
        "version": version,
        "proto": PROTOCOLS[transport],
        "orig_addr": orig_words,
        "resp_addr": resp_words,
        "orig_port": int(orig_port),
        "resp_port": int(resp_port),
        "direction_basis": DIRECTION_BASES.index(basis),
        "tcp_state": TCP_STATES.index(state),
        "vlan": NO_VLAN,
        "orig_packets": packets[0],
        "resp_packets": packets[1],
        "orig_payload": payload[0],
        "resp_payload": payload[1],
        "orig_wire": payload[0] + 60 * packets[0],
        "resp_wire": payload[1] + 60 * packets[1],
        "unresolved": unresolved,
        "evidence": sum(mark_bit(code) for code in evidence),
    }


def table(rows: Sequence[dict[str, Any]]) -> FlowTable:
    """A flow table of flows, in the order given."""
    columns: dict[str, Any] = {}
    for field in dataclasses.fields(FlowTable):
        values = [row.get(field.name, 0) for row in rows]
        if field.name in ("orig_addr", "resp_addr"):
            columns[field.name] = np.array(values, "u4").reshape(len(rows), 4)
        else:
            columns[field.name] = np.array(values, _NARROW.get(field.name, "i8"))
    columns["row"] = np.arange(len(rows), dtype="i4")
    columns["first_ns"] = np.arange(len(rows), dtype="i8")
    return FlowTable(**columns)


def links(names: Iterable[str] = ()) -> LinkTable:
    """A link table with one row per link protocol name."""
    codes = [LINK_CODES[name] for name in names]
    ones = np.ones(len(codes), "i8")
    fields = {field.name: ones for field in dataclasses.fields(LinkTable)}
    fields["code"] = np.array(codes, "i4")
    return LinkTable(**fields)


_signatures: list[SignatureSet] = []


def built_in() -> SignatureSet:
    """The built-in signatures, loaded once."""
    if not _signatures:
        _signatures.append(load_signatures())
    return _signatures[0]


class Labelled:
    """Flows with their labels: `Labelled(a, b).of(a)`."""

    def __init__(
        self,
        *rows: dict[str, Any],
        signatures: SignatureSet | None = None,
        learned: Sequence[Learned] = (),
        link_names: Sequence[str] = (),
        **more: Any,
    ) -> None:
        self.rows = rows
        self.labels: Attribution = attribute(
            table(rows), links(link_names), signatures or built_in(), list(learned), **more
        )

    def _index(self, row: dict[str, Any] | int) -> int:
        if isinstance(row, int):
            return row
        return next(number for number, known in enumerate(self.rows) if known is row)

    def of(self, row: dict[str, Any] | int = 0) -> str:
        """The component of a flow."""
        return self.labels.components[int(self.labels.component[self._index(row)])]

    def grade(self, row: dict[str, Any] | int = 0) -> str:
        return ("", "probable", "confirmed")[int(self.labels.grade[self._index(row)])]

    def evidence(self, row: dict[str, Any] | int = 0) -> list[str]:
        return self.labels.evidence(self._index(row))

    def candidates(self, row: dict[str, Any] | int = 0) -> dict[str, str]:
        """Reason per candidate component of a flow."""
        index = self._index(row)
        return {component: reason for component, number, reason in self.labels.candidates if number == index}
