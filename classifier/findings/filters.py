"""Wireshark display filters that select exactly what a finding is about, and how many packets that is.

In: flow numbers, or an endpoint. Out: a `Selection`: (filter, packets) when asked. Next: the rules.

A filter names addresses and ports; an ICMP error quotes both, so ICMP is left out by name. Flows that share a filter
(a five-tuple used again, A:1 to B:2 beside A:2 to B:1) are counted together, as the filter selects them. Later
fragments have no ports in Wireshark, so of fragmented flows it selects fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, wraps
from typing import TYPE_CHECKING, ParamSpec

import numpy as np

from classifier.findings.case import ICMP, ICMP6, TCP, UDP, Array, Case
from classifier.findings.model import Selection

if TYPE_CHECKING:
    from classifier.evidence.collect import Membership

Asked = ParamSpec("Asked")
FLOWS_IN_A_FILTER = 10
"""Flows that a filter names; a longer one is no help in a filter bar."""

_NAMES = {TCP: "tcp", UDP: "udp", 132: "sctp", 33: "dccp"}


def later(select: Callable[Asked, tuple[str, int | None]]) -> Callable[Asked, Selection]:
    """Makes a function a `Selection`: it is called when the finding turns out to be listed, and not for a thousand."""

    @wraps(select)
    def asked(*args: Asked.args, **kwargs: Asked.kwargs) -> Selection:
        return partial(select, *args, **kwargs)

    return asked


@later
def of_flows(case: Case, flows: Sequence[int]) -> tuple[str, int]:
    """A filter for some flows, the first `FLOWS_IN_A_FILTER` of them, and the packets it selects."""
    wanted = np.asarray(list(dict.fromkeys(int(flow) for flow in flows))[:FLOWS_IN_A_FILTER], "i8")
    if not len(wanted):
        return "", 0
    texts, selected = [], np.zeros(len(case.flows), bool)
    for flow in wanted.tolist():
        text, hit = _of_flow(case, flow)
        if text not in texts:
            texts.append(text)
            selected |= hit
    return _joined(texts, _without_errors(case, wanted)), _packets(case, selected)


@later
def of_endpoint(case: Case, address: str, port: int, proto: int) -> tuple[str, int]:
    """A filter for all packets from or to an endpoint, and how many they are."""
    ip, name = "ipv6" if ":" in address else "ip", _NAMES[proto]
    text = (
        f"(({ip}.src == {address} && {name}.srcport == {port}) || "
        f"({ip}.dst == {address} && {name}.dstport == {port})) && !{'icmpv6' if ip == 'ipv6' else 'icmp'}"
    )
    number, flows = case.addresses.find(address), case.flows
    hit = (case.addresses.orig == number) & (flows.orig_port == port)
    hit |= (case.addresses.resp == number) & (flows.resp_port == port)
    return text, _packets(case, hit & (flows.proto == proto))


@later
def of_pair(case: Case, one: str, other: str, port: int, proto: int) -> tuple[str, int]:
    """A filter for all packets between two hosts with a port on either side, and how many they are."""
    ip, name = "ipv6" if ":" in one else "ip", _NAMES[proto]
    text = f"{ip}.addr == {one} && {ip}.addr == {other} && {name}.port == {port}"
    text += f" && !{'icmpv6' if ip == 'ipv6' else 'icmp'}"
    a, b, flows = case.addresses.find(one), case.addresses.find(other), case.flows
    hit = ((case.addresses.orig == a) & (case.addresses.resp == b)) | (
        (case.addresses.orig == b) & (case.addresses.resp == a)
    )
    hit &= (flows.proto == proto) & ((flows.orig_port == port) | (flows.resp_port == port))
    return text, _packets(case, hit)


@later
def to_group(case: Case, group: str, port: int | None = None) -> tuple[str, int]:
    """A filter for UDP packets to a multicast group, to one port of it or to all, and how many they are."""
    ip = "ipv6" if ":" in group else "ip"
    text = f"{ip}.dst == {group} && udp" + (f".dstport == {port}" if port is not None else "")
    text += f" && !{'icmpv6' if ip == 'ipv6' else 'icmp'}"
    number, flows = case.addresses.find(group), case.flows
    sent = np.where((case.addresses.resp == number) & (flows.proto == UDP), flows.orig_packets, 0)
    back = np.where((case.addresses.orig == number) & (flows.proto == UDP), flows.resp_packets, 0)
    if port is not None:
        sent = np.where(flows.resp_port == port, sent, 0)
        back = np.where(flows.orig_port == port, back, 0)
    return text, int(sent.sum() + back.sum())


@later
def of_queries(case: Case, hosts: Sequence[str]) -> tuple[str, int]:
    """A filter for the IGMP or MLD queries of some hosts of one IP version, and how many packets they are."""
    named = list(dict.fromkeys(hosts))[:FLOWS_IN_A_FILTER]
    six = ":" in named[0]
    ends = " || ".join(f"{'ipv6' if six else 'ip'}.src == {host}" for host in named)
    ends = f"({ends})" if len(named) > 1 else ends
    kind = "icmpv6.type == 130" if six else "igmp.type == 0x11 && !icmp"
    return f"{ends} && {kind}", _records([item for item in case.groups.queries if item.host in named])


@later
def of_reports(case: Case, group: str) -> tuple[str, int]:
    """A filter for the IGMP joins and leaves of an IPv4 group, and how many packets they are; none for IPv6."""
    if ":" in group:
        return "", 0
    return f"igmp.maddr == {group} && igmp.type != 0x11 && !icmp", _records(case.groups.messages.get(group, []))


@later
def of_records(case: Case, records: Sequence[tuple[int, int]]) -> tuple[str, int | None]:
    """A filter for some records, (capture, number from 1), the first `FLOWS_IN_A_FILTER`; none with several files."""
    numbers = sorted({number for _, number in records})[:FLOWS_IN_A_FILTER]
    if len(case.read.captures) != 1 or not numbers:
        return "", None
    return " || ".join(f"frame.number == {number}" for number in numbers), len(numbers)


def _packets(case: Case, hit: Array) -> int:
    """Packets of some flows, (n flows,) bool."""
    rows = np.flatnonzero(hit)
    return int(case.flows.orig_packets[rows].sum() + case.flows.resp_packets[rows].sum())


def _records(messages: Sequence[Membership]) -> int:
    """Packets: one can hold several messages."""
    return len({(item.capture, item.record) for item in messages})


def _of_flow(case: Case, flow: int) -> tuple[str, Array]:
    """A filter for one flow, and all flows that it selects."""
    flows, addresses = case.flows, case.addresses
    proto = int(flows.proto[flow])
    orig, resp = int(addresses.orig[flow]), int(addresses.resp[flow])
    p, q = int(flows.orig_port[flow]), int(flows.resp_port[flow])
    ip = "ipv6" if int(flows.version[flow]) == 6 else "ip"
    a, b = addresses.text(orig), addresses.text(resp)
    same = ((addresses.orig == orig) & (addresses.resp == resp)) | ((addresses.orig == resp) & (addresses.resp == orig))
    same &= flows.proto == proto
    name = _NAMES.get(proto)
    if name is None:
        field = "ip.proto" if ip == "ip" else "ipv6.nxt"
        return f"({ip}.addr == {a} && {ip}.addr == {b} && {field} == {proto})", same
    if p == q or orig == resp:
        ends = f"{ip}.src == {a} && {name}.srcport == {p} && {ip}.dst == {b} && {name}.dstport == {q}"
        back = f"{ip}.src == {b} && {name}.srcport == {q} && {ip}.dst == {a} && {name}.dstport == {p}"
        forth = (addresses.orig == orig) & (flows.orig_port == p) & (flows.resp_port == q)
        turned = (addresses.orig == resp) & (flows.orig_port == q) & (flows.resp_port == p)
        return f"(({ends}) || ({back}))", same & (forth | turned)
    ports = ((flows.orig_port == p) & (flows.resp_port == q)) | ((flows.orig_port == q) & (flows.resp_port == p))
    return f"({ip}.addr == {a} && {ip}.addr == {b} && {name}.port == {p} && {name}.port == {q})", same & ports


def _without_errors(case: Case, flows: Array) -> str:
    """` && !icmp`, where no flow is ICMP itself."""
    proto, version = case.flows.proto[flows], case.flows.version[flows]
    words = []
    if (version == 4).any() and not (proto == ICMP).any():
        words.append("!icmp")
    if (version == 6).any() and not (proto == ICMP6).any():
        words.append("!icmpv6")
    return "".join(f" && {word}" for word in words)


def _joined(texts: list[str], rest: str) -> str:
    if len(texts) == 1:
        return texts[0].removeprefix("(").removesuffix(")") + rest if texts[0].count("(") == 1 else texts[0] + rest
    return f"({' || '.join(texts)}){rest}"
