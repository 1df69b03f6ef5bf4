"""Why a flow is labelled as it is, in sentences.

In: the facts of a report and a flow's number. Out: lines. Next: `Report.explain`, `host`.
"""

from __future__ import annotations

from classifier.columns import NO_VLAN, encapsulation_name
from classifier.decode.protocols import protocol_name
from classifier.explain.place import endpoint
from classifier.explain.raising import would_confirm
from classifier.explain.words import safe, shown_by, utc
from classifier.flows.table import DIRECTION_BASES, TCP_STATES
from classifier.matching.model import GRADES
from classifier.tables.addresses import mac_text
from classifier.tables.facts import Facts

BASES = {
    "syn": "it sent the SYN",
    "syn_ack": "the SYN-ACK went to it",
    "group": "the other side is a multicast group or broadcast",
    "content": "what the packets say",
    "service_port": "the other side's port is one that a service listens on",
    "fan_in": "the other endpoint met several others",
    "port_order": "the other side's port is lower and in no ephemeral range",
    "first_packet": "it sent the first packet of the capture, nothing better is known",
}
STATES = {
    "attempt": "The connection was tried and not answered.",
    "refused": "The connection was refused.",
    "syn_ack_only": "The responder accepted, the originator did not go on.",
    "established": "The connection was opened in the capture and not closed.",
    "closed": "The connection was opened and closed in the capture.",
    "half_closed": "The connection was opened in the capture and closed by one side.",
    "reset": "The connection was opened in the capture and reset.",
    "midstream": "The connection began before the capture.",
    "midstream_closed": "The connection began before the capture and was closed in it.",
    "midstream_reset": "The connection began before the capture and was reset in it.",
}


def explain_flow(facts: Facts, flow: int) -> str:
    """The sentences, joined by line feeds, safe to show."""
    return safe(flow_lines(facts, flow))


def flow_lines(facts: Facts, flow: int) -> list[str]:
    """The sentences, not escaped."""
    flows, labels, ends = facts.read.flows, facts.labels, facts.addresses
    orig = endpoint(ends.text(int(ends.orig[flow])), int(flows.orig_port[flow]))
    resp = endpoint(ends.text(int(ends.resp[flow])), int(flows.resp_port[flow]))
    component = labels.components[labels.component[flow]]
    name = facts.signatures.name_of(component)
    grade = GRADES[labels.grade[flow]]
    owner = component if name in ("", component) else f"{component} ({name})"
    lines = [
        f"Flow {flow}: {protocol_name(int(flows.proto[flow]))} {orig} -> {resp}",
        f"It belongs to {owner}{f', {grade}' if grade else ''}.",
    ]
    lines += [f"  - {sentence}{shown_by(facts, source)}" for _, sentence, source in labels.statements(flow)]
    against = labels.against(flow)
    if against:
        lines.append(f"Against it: {' '.join(against)}")
    lines += would_confirm(facts, flow)
    for candidate, _, reason in labels.candidates.of_flow(flow):
        lines.append(f"It is not given to {candidate}: {reason}")
    lines.append(f"The originator is {orig}: {BASES[DIRECTION_BASES[flows.direction_basis[flow]]]}.")
    state = TCP_STATES[flows.tcp_state[flow]]
    if state:
        lines.append(STATES[state])
    lines.append(
        f"Packets {int(flows.orig_packets[flow])} -> and {int(flows.resp_packets[flow])} <-, "
        f"wire bytes {int(flows.orig_wire[flow])} -> and {int(flows.resp_wire[flow])} <-."
    )
    lines.append(
        f"Seen from {utc(int(flows.first_ns[flow]))} to {utc(int(flows.last_ns[flow]))}, "
        f"first in record {int(flows.first_record[flow])} of {facts.read.captures[int(flows.capture[flow])].path}."
    )
    macs = [mac_text(int(mac)) for mac in (flows.orig_mac[flow], flows.resp_mac[flow]) if mac]
    if macs:
        lines.append(f"Ethernet addresses: {', '.join(macs)}.")
    outer = [encapsulation_name(int(flows.encap[flow]))] if flows.encap[flow] else []
    if flows.vlan[flow] != NO_VLAN:
        outer.append(f"VLAN {int(flows.vlan[flow])}")
    if outer:
        lines.append(f"Inside {', '.join(outer)}.")
    if flows.stopped[flow]:
        lines.append(f"Decoding ended early in {int(flows.stopped[flow])} of its packets (cut or damaged).")
    if flows.unresolved[flow]:
        lines.append("These are later fragments of packets whose first fragment is not in the capture.")
    return lines
