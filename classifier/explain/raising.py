"""What would raise the grade of a flow, or give it an owner.

In: facts and a flow. Out: sentences, from what the signature says of itself. Next: `flow`.
"""

from __future__ import annotations

from classifier.evidence.marks import CODES, FITS, MARKS, mark_bit
from classifier.flows.table import TCP_STATES
from classifier.matching.model import CONFIRMED, GRADES
from classifier.tables.facts import Facts

_BY = {
    "ssrp": "A reply of the SQL Server Browser (SSRP) that names this port would confirm it.",
    "rtsp": "An RTSP session that names this port for its media would confirm it.",
}


def would_confirm(facts: Facts, flow: int) -> list[str]:
    """Sentences for a flow that is only probable; none for others."""
    flows, labels = facts.read.flows, facts.labels
    signature = facts.signatures.get(labels.components[labels.component[flow]])
    if signature is None or not labels.grade[flow] or labels.grade[flow] == CONFIRMED:
        return []
    if signature.max_grade != GRADES[CONFIRMED]:
        return ["Probable is the best it can be: nothing is known of the payload that would prove it."]
    bits = int(flows.evidence[flow])
    marks = [MARKS[CODES[code]] for code in signature.content]
    missing = [mark for mark in marks if mark.strength != FITS and not bits & mark_bit(mark.code)]
    lines = [f"A packet that shows this would confirm it: {mark.sentence}" for mark in missing]
    lines += [_BY[by] for by in signature.learned_by if by in _BY]
    if not lines:
        return ["Nothing is known of the payload that would confirm it."]
    if missing:
        lines += _why_not_seen(facts, flow, {mark.said_by for mark in missing})
    return lines


def _why_not_seen(facts: Facts, flow: int, said_by: set[str]) -> list[str]:
    """Why the capture may not show it."""
    flows = facts.read.flows
    lines = []
    if TCP_STATES[int(flows.tcp_state[flow])].startswith("midstream"):
        lines.append("Such packets come first in a connection, and this one began before the capture.")
    if not flows.resp_packets[flow] and said_by == {"resp"}:
        lines.append("The responder's packets are not in the capture.")
    elif not flows.orig_packets[flow] and said_by == {"orig"}:
        lines.append("The originator's packets are not in the capture.")
    if flows.captured[flow] < flows.wire[flow]:
        lines.append("Packets were cut when they were captured (snapshot length): payload is missing.")
    if int(flows.evidence[flow]) & mark_bit("tls"):
        lines.append("The payload is encrypted (TLS): a capture cannot show more.")
    return lines
