"""What a host is, or one of its ports, and what shows it.

In: the facts of a report, a place such as `10.0.0.5:8600`. Out: text, bounded however much the host has to do.
Next: `Report.explain`, `classify --explain`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from classifier.arrays import distinct
from classifier.decode.protocols import protocol_name
from classifier.evidence.marks import mark_bit
from classifier.explain.flow import flow_lines
from classifier.explain.place import endpoint, parse_place
from classifier.explain.raising import would_confirm
from classifier.explain.words import safe, shown_by, utc
from classifier.matching.model import GRADES
from classifier.tables.facts import Array, Facts
from classifier.units import counted

GROUPS_SHOWN = 12
FLOWS_SHOWN = 3
NAMES_SHOWN = 6
PROOFS_READ = 2000
"""Flows of a host whose payload proofs are looked at for names."""

_NAMES = (
    ("tls", 0, "TLS server names that clients asked it for"),
    ("http", 0, "HTTP servers that it names"),
    ("rtsp", 0, "RTSP servers that it names"),
    ("ssdp", -1, "SSDP: what it names"),
    ("onvif", -1, "ONVIF: hardware that it names"),
    ("ssrp_reply", 0, "SQL Server instances that it announces"),
    ("digifort_login", 0, "Digifort version"),
)
"""(mark, side that speaks of itself: 0 responder, -1 whoever sent it, words)"""


@dataclass(frozen=True)
class _Host:
    """A host's flows. `end`: 0 where it is the responder, 1 the originator; `own`: it has the port that counts."""

    facts: Facts
    address: str
    rows: Array
    end: Array
    own: Array


def explain_place(facts: Facts, text: str) -> str:
    """Sentences on a host or endpoint; raises ValueError that says what there is, when the capture does not have it."""
    name, port = parse_place(text)
    host = _host(facts, name)
    return safe(_host_lines(host) if port is None else _endpoint_lines(host, port))


def _host(facts: Facts, name: str) -> _Host:
    number = facts.addresses.find(name)
    if number < 0:
        named = [address for address, known in sorted(facts.names.items()) if known.lower() == name.lower()]
        found = [n for n in map(facts.addresses.find, named) if n >= 0]
        number = found[0] if found else -1
    if number < 0:
        raise ValueError(safe([f"--explain: {name} is not in the capture; {_who_is(facts)}"]))
    orig, resp = facts.addresses.orig, facts.addresses.resp
    rows = np.flatnonzero((orig == number) | (resp == number))
    end = np.where(resp[rows] == number, 0, 1)
    own = facts.labels.listening_end(rows) == end
    return _Host(facts, facts.addresses.text(number), rows, end, own)


def _who_is(facts: Facts) -> str:
    from classifier.tables.hosts import hosts

    addresses = hosts(facts)["address"]
    there_are = int((~facts.addresses.group).sum())
    if not addresses:
        return "it has no hosts"
    return f"its hosts with most traffic are {', '.join(addresses[:5])} ({there_are:,} in all)"


# --- a host -------------------------------------------------------------------------------------------------------


def _host_lines(host: _Host) -> list[str]:
    facts, rows, flows = host.facts, host.rows, host.facts.read.flows
    name = facts.names.get(host.address)
    packets, wire = int(flows.packets[rows].sum()), int(flows.wire[rows].sum())
    lines = [
        f"{host.address}{f' ({name})' if name else ''}: {counted(len(rows), 'flow')}, {counted(packets, 'packet')}, "
        f"{wire:,} bytes, from {utc(int(flows.first_ns[rows].min()))} to {utc(int(flows.last_ns[rows].max()))}."
    ]
    roles = facts.labels.host_roles
    words = roles.words.get(host.address, [])
    lines.append("Its roles:" if words else "It has no role that the capture shows.")
    for word in words:
        lines.append(f"  {word}")
        for reason in roles.reasons(host.address, word):
            lines.append(f"    - {reason.sentence.rstrip('.')}{_of_flow(facts, reason.flow)}.{shown_by(facts, reason)}")
    lines += _names(host)
    lines += _groups(host, "At its own ports:", host.own)
    lines += _groups(host, "At ports of others:", ~host.own)
    lines += _learned(host)
    lines += _considered(facts, rows)
    lines.append(f"One port of it: --explain {endpoint(host.address, _a_port(host))}")
    return lines


def _of_flow(facts: Facts, flow: int) -> str:
    if flow < 0:
        return ""
    grade = GRADES[facts.labels.grade[flow]]
    return f" (flow {flow}{f', {grade}' if grade else ''})"


def _names(host: _Host) -> list[str]:
    """What hosts call themselves or are called: text of payloads."""
    facts, flows = host.facts, host.facts.read.flows
    lines = []
    with_marks = host.rows[flows.evidence[host.rows] != 0][:PROOFS_READ]
    end = dict(zip(host.rows.tolist(), host.end.tolist(), strict=True))
    for code, side, words in _NAMES:
        found: dict[str, str] = {}
        for flow in with_marks[(flows.evidence[with_marks] & mark_bit(code)) != 0].tolist():
            for proof in facts.labels.proofs.of(flow):
                speaker = int((proof.side == 1) == bool(flows.turned[flow]))
                # a client's hello carries the server's name; everything else is said by its owner
                fits = end[flow] == side if code == "tls" else speaker == end[flow] and side in (-1, end[flow])
                if proof.code == code and proof.detail and fits:
                    found.setdefault(proof.detail[:120], shown_by(facts, proof))
        if found:
            shown = [f"{name}{where}" for name, where in list(found.items())[:NAMES_SHOWN]]
            more = f" and {len(found) - NAMES_SHOWN} more" if len(found) > NAMES_SHOWN else ""
            lines.append(f"{words}: {', '.join(shown)}{more}.")
    return lines


def _groups(host: _Host, title: str, chosen: Array) -> list[str]:
    """The host's flows by component, protocol and the port that counts."""
    facts, flows, labels = host.facts, host.facts.read.flows, host.facts.labels
    rows, end = host.rows[chosen], host.end[chosen]
    if not len(rows):
        return []
    at = labels.listening_end(rows)
    port = np.where(at == 1, flows.orig_port[rows], flows.resp_port[rows]).astype("i8")
    key = labels.component[rows].astype("i8") << 24 | flows.proto[rows].astype("i8") << 16 | port
    keys, group = np.unique(key, return_inverse=True)
    wire = np.zeros(len(keys), "i8")
    np.add.at(wire, group, flows.wire[rows])
    order = np.lexsort((keys, -wire))
    peers = np.where(end == 0, facts.addresses.orig[rows], facts.addresses.resp[rows])
    lines = [title]
    for k in order[:GROUPS_SHOWN].tolist():
        mine = np.flatnonzero(group == k)
        proto, number = int(keys[k]) >> 16 & 255, int(keys[k]) & 0xFFFF
        where = f"{protocol_name(proto)}/{number}" if number else protocol_name(proto)
        owner = _owner(facts, int(keys[k]) >> 24, rows[mine])
        count = f"{counted(len(mine), 'flow')}, {int(wire[k]):,} bytes"
        lines.append(f"  {where}: {owner}, with {_peers(facts, peers[mine])}: {count}")
        best = int(rows[mine[np.argmax(labels.grade[rows[mine]])]])
        lines += [f"    - {text}{shown_by(facts, source)}" for _, text, source in labels.statements(best)[:6]]
        lines += [f"    - {text}" for text in would_confirm(facts, best)]
    if len(keys) > GROUPS_SHOWN:
        lines.append(f"  and {counted(len(keys) - GROUPS_SHOWN, 'more port')} (--section flows has all)")
    return lines


def _owner(facts: Facts, number: int, rows: Array) -> str:
    component = facts.labels.components[number]
    name = facts.signatures.name_of(component)
    grades = [GRADES[grade] for grade in distinct(facts.labels.grade[rows])[::-1].tolist() if grade]
    text = component if name in ("", component) else f"{component} ({name})"
    return text + (f", {' and '.join(grades)}" if grades else "")


def _peers(facts: Facts, numbers: Array) -> str:
    peers = distinct(numbers)
    texts = ", ".join(facts.addresses.texts(peers[:3]).tolist())
    return f"{texts} and {len(peers) - 3:,} more" if len(peers) > 3 else texts


def _learned(host: _Host) -> list[str]:
    lines = []
    for item in host.facts.labels.learned:
        if item.address == host.address:
            instance = f", instance {item.instance}" if item.instance else ""
            where = f"{item.transport}/{item.port}"
            how = {"ssrp": "an SSRP reply", "rtsp": "an RTSP session"}.get(item.by, "content")
            lines.append(f"  {item.component} on {where}{instance}, from {how}{shown_by(host.facts, item)}")
    shown = lines[:GROUPS_SHOWN]
    if len(lines) > len(shown):
        shown.append(f"  and {len(lines) - len(shown):,} more (--section learned)")
    return ["Endpoints learned of it:", *shown] if lines else []


def _considered(facts: Facts, rows: Array) -> list[str]:
    """Candidates that do not own flows, each with its reason."""
    found = facts.labels.candidates
    said: dict[tuple[str, str], int] = {}
    for index in np.flatnonzero(np.isin(found.flow, rows))[:PROOFS_READ].tolist():
        component, _, reason = found[index]
        said[component, reason] = said.get((component, reason), 0) + 1
    lines = [f"  {name} ({counted(n, 'flow')}): {reason}" for (name, reason), n in list(said.items())[:GROUPS_SHOWN]]
    if len(said) > GROUPS_SHOWN:
        lines.append(f"  and {len(said) - GROUPS_SHOWN:,} more (--section candidates)")
    return ["Considered and not given:", *lines] if lines else []


def _a_port(host: _Host) -> int:
    ports = _own_ports(host)
    return ports[0][1] if ports else 0


def _own_ports(host: _Host) -> list[tuple[str, int]]:
    """`(protocol, port)` that the host listens on, most bytes first."""
    flows, rows = host.facts.read.flows, host.rows[host.own]
    port = np.where(host.end[host.own] == 1, flows.orig_port[rows], flows.resp_port[rows]).astype("i8")
    key = flows.proto[rows].astype("i8") << 16 | port
    keys, at = np.unique(key[port > 0], return_inverse=True)
    wire = np.zeros(len(keys), "i8")
    np.add.at(wire, at, flows.wire[rows][port > 0])
    return [(protocol_name(int(k) >> 16), int(k) & 0xFFFF) for k in keys[np.lexsort((keys, -wire))].tolist()]


# --- an endpoint --------------------------------------------------------------------------------------------------


def _endpoint_lines(host: _Host, port: int) -> list[str]:
    facts, flows, labels = host.facts, host.facts.read.flows, host.facts.labels
    here = np.where(host.end == 0, flows.resp_port[host.rows], flows.orig_port[host.rows]) == port
    rows = host.rows[here]
    if not len(rows):
        ports = [f"{protocol}/{number}" for protocol, number in _own_ports(host)[:8]]
        listens = f"it listens on {_listed(ports)}" if ports else "it listens on no port"
        raise ValueError(safe([f"--explain: {host.address} has no flow with its port {port}; {listens}"]))
    lines = [f"{endpoint(host.address, port)}: {counted(len(rows), 'flow')}, {int(flows.wire[rows].sum()):,} bytes."]
    key = labels.component[rows].astype("i8") << 2 | labels.grade[rows]
    chosen: list[int] = []
    for value in sorted(set(key.tolist()), key=lambda value: (-(value & 3), -int((key == value).sum()), value)):
        mine = rows[key == value]
        chosen.append(int(mine[np.argmax(flows.wire[mine])]))
        lines.append(f"  {_owner(facts, value >> 2, mine)}: {counted(len(mine), 'flow')}")
    lines += _considered(facts, rows)
    for flow in chosen[:FLOWS_SHOWN]:
        lines += ["", *flow_lines(facts, flow)]
    if len(rows) > len(chosen[:FLOWS_SHOWN]):
        lines += ["", "The largest of each kind; --section flows has them all."]
    return lines


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
