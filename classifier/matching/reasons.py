"""Sentences: why a label holds, and why a candidate does not.

In: labels and one flow. Out: one plain sentence. Next: `--explain`, the report.
"""

from __future__ import annotations

from collections.abc import Sequence

from classifier.evidence.marks import marks_of
from classifier.flows.table import TCP_STATES, address_text
from classifier.matching.labels import REASONS, Labels
from classifier.matching.model import Signature

_DIRECTIONS = {
    "syn": "{host} is the listening side: the other side sent the SYN.",
    "syn_ack": "{host} is the listening side: it sent the SYN-ACK.",
    "content": "{host} is the listening side, by what was said.",
    "service_port": "{no}Of the two ports only {host}'s is one that services listen on.",
    "fan_in": "{no}The endpoint at {host} meets several others, like a server's.",
    "port_order": "{no}{host} has the lower port, outside the ephemeral ranges.",
    "first_packet": "{no}{host} did not send the first packet.",
    "group": "The packets go to a group.",
}


def joined(words: Sequence[str], last: str = "or") -> str:
    """`"a, b or c"`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def direction_sentence(basis: str, host: str, transport: str) -> str:
    """How the listening side was told."""
    return _DIRECTIONS[basis].format(host=host, no="No handshake was captured. " if transport == "tcp" else "")


def where_sentence(signature: Signature, transport: str, port: int, group: bool) -> str:
    """What the port says."""
    if group:
        return f"The destination port is {transport}/{port}."
    kind = "a default port" if signature.changeable == "yes" else "a port"
    return f"{transport}/{port} is {kind} of {signature.name}."


def holds_sentence(labels: Labels, address: str, component: str, end: str) -> str:
    """Which role of a host supports a label."""
    signature = labels.signatures.get(component)
    word = "" if signature is None else signature.listener_role if end == "listener" else signature.peer_role
    return f"Elsewhere in the capture {address} acts as {word or end} ({component})."


def needed(labels: Labels, signature: Signature) -> str:
    """What support a signature asks for, in words."""
    texts = []
    for support in signature.support:
        product = labels.signatures.product(signature.product)
        who = support.who or f"a {product.name if product else signature.product} host"
        which = {"listener": "the listening host", "peer": "the other host", "either": "one of the two hosts"}
        texts.append(f"{which[support.end]} is {who}")
    return f"other traffic in the capture shows that {joined(texts)}"


def candidate_reason(labels: Labels, component: int, flow: int, reason: int) -> str:
    """Why a component is only a candidate for a flow."""
    flows, name = labels.flows, labels.components[component]
    signature = labels.signatures.signatures[component]
    listener = address_text(flows.resp_addr[flow], int(flows.version[flow]))
    peer = address_text(flows.orig_addr[flow], int(flows.version[flow]))
    transport, port = signature.transport, int(flows.resp_port[flow])
    match REASONS[reason]:
        case "unsupported":
            if signature.match == "learned":
                return f"An endpoint that content named is {name} only when {needed(labels, signature)}."
            kind = "a range" if signature.is_range else "a port"
            used = f"{signature.where()} is {kind} that other programs use too"
            return f"{used}: it counts only when {needed(labels, signature)}."
        case "opened":
            return f"{peer}, itself a host of the product, opened this connection to {transport}/{port} of {listener}."
        case "failed":
            state = TCP_STATES[int(flows.tcp_state[flow])]
            what = "was refused" if state == "refused" else "got no answer"
            return f"The attempt from {peer} to {transport}/{port} of {listener} {what}."
        case "ambiguous":
            return f"Another signature fits {transport}/{port} of {listener} as well as {name}."
        case "undecided":
            both = f"{transport}/{int(flows.orig_port[flow])} and {transport}/{port}"
            return f"No handshake was captured, and services listen on both ports ({both})."
        case "fan_in":
            other = f"{peer} {transport}/{int(flows.orig_port[flow])}"
            return f"No handshake was captured, and {other} meets several others, so it looks like the server."
        case "excluded":
            why = next((item.reason for item in signature.excludes if port in item.ports), "another service")
            return f"{transport}/{port} is in the range, and belongs to {why} unless content proves media."
        case "group_port":
            return f"An unknown user of group {listener}: {name} uses port {signature.ports.text()} there, not {port}."
        case "content_only":
            return (
                f"The hosts fit {name}, but {transport}/{port} of {listener} counts only with content that proves it."
            )
        case _:
            against = marks_of(int(flows.evidence[flow]) & labels.vetoes.get(component, 0))
            return " ".join(mark.sentence for mark in against[:2])
