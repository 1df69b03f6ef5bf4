"""DGF-MEDIA-RANGE: the fixed range of UDP ports for camera media fills up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters, needs
from classifier.findings.case import UDP, Array, Case
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule, Setting
from classifier.units import percent


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    signature = case.facts.signatures.get("digifort.media_input")
    if signature is None:
        return
    flows = case.flows
    rows = np.flatnonzero(case.owned_by("digifort.media_input"))
    turned = case.labels.listening_end(rows) == 1
    port = np.where(turned, flows.orig_port[rows], flows.resp_port[rows])
    inside = signature.ports.mask()[port]
    rows, port = rows[inside], port[inside]
    server = case.own_address(rows)
    room = len(signature.ports)
    for number in distinct(server).tolist():
        mine = server == number
        most, at_ns = most_at_once(port[mine], flows.first_ns[rows[mine]], flows.last_ns[rows[mine]])
        share = most / room
        if share < setting("filling"):
            continue
        address = case.addresses.text(number)
        here = rows[mine]
        low, high = int(port[mine].min()), int(port[mine].max())
        yield Finding(
            title=f"{case.place(address)} uses {percent(share)} of its UDP ports for camera media",
            summary=(
                f"{most:,} of the {room:,} ports {signature.ports.text()} were in use at once at {case.at(at_ns)} "
                f"({len(distinct(port[mine])):,} in the whole capture, {low} to {high}). A camera takes two where "
                "RTCP has a port of its own. When the range is used up, further cameras get no media by UDP."
            ),
            flow_ids=here[:FLOWS_OF_A_FINDING].tolist(),
            first_record=case.first_record(here.tolist()),
            selection=_filter(case, address, number, low, high),
            severity="warning" if share > setting("full") else "info",
        )


@filters.later
def _filter(case: Case, address: str, number: int, low: int, high: int) -> tuple[str, int]:
    """All UDP to these ports of the server."""
    flows = case.flows
    udp = flows.proto == UDP
    to_resp = udp & (case.addresses.resp == number) & (flows.resp_port >= low) & (flows.resp_port <= high)
    to_orig = udp & (case.addresses.orig == number) & (flows.orig_port >= low) & (flows.orig_port <= high)
    count = int(flows.orig_packets[to_resp].sum()) + int(flows.resp_packets[to_orig].sum())
    ip, icmp = ("ipv6", "icmpv6") if ":" in address else ("ip", "icmp")
    return f"{ip}.dst == {address} && udp.dstport >= {low} && udp.dstport <= {high} && !{icmp}", count


def most_at_once(port: Array, first_ns: Array, last_ns: Array) -> tuple[int, int]:
    """The most distinct ports in use at one time, and when first.

    A port is in use from the first packet of a flow to its last; flows of one port that overlap count once.
    """
    order = np.lexsort((first_ns, port))
    port, first, last = port[order], first_ns[order], last_ns[order]
    edges = [*np.flatnonzero(np.concatenate(([True], port[1:] != port[:-1]))).tolist(), len(port)]
    begins, ends = [], []
    for low, high in pairwise(edges):
        reach = np.maximum.accumulate(last[low:high])
        opens = np.flatnonzero(np.concatenate(([True], first[low + 1 : high] > reach[:-1])))
        begins.append(first[low:high][opens])
        ends.append(reach[np.concatenate((opens[1:] - 1, [high - low - 1]))])
    times = np.concatenate(begins + ends)
    change = np.repeat([1, -1], len(times) // 2)
    order = np.lexsort((-change, times))  # a port that ends where another begins is still in use
    used = np.cumsum(change[order])
    at = int(np.argmax(used))
    return int(used[at]), int(times[order][at])


RULE = Rule(
    code="DGF-MEDIA-RANGE",
    severity="warning",
    title="The range of UDP ports for camera media fills up",
    remedy="Let cameras deliver by TCP where they can, or spread them over more servers: the range cannot be widened.",
    source='Digifort Ports and Addresses, 3.4: "By default, the range of UDP ports 3000 to 5000 is used"; "This port '
    'range cannot be changed on system configurations"; two ports a stream and the thresholds are ours',
    check=check,
    needs=(needs.DIGIFORT,),
    settings=(
        Setting("full", 0.8, "share", "of the range in use at once that is a warning"),
        Setting("filling", 0.5, "share", "of the range in use at once that is worth knowing"),
    ),
)
