"""DGF-UPNP-NOREPLY: the Administration Client's search for devices gets no answers, or its host refuses them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.evidence.collect import IcmpError
from classifier.evidence.marks import mark_bit
from classifier.findings import filters, needs
from classifier.findings.case import SECOND, UDP, Array, Case, joined, listed, sorted_addresses
from classifier.findings.examine import FINDINGS_OF_A_RULE
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.units import counted, span

_FORBIDDEN = {4: {(3, 9), (3, 10), (3, 13)}, 6: {(1, 1)}}
_NO_PORT = {4: {(3, 3)}, 6: {(1, 4)}}
_LOOKED_AT = 200
"""Hosts that search from the port, whose answers are looked at."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    signature = case.facts.signatures.get("digifort.upnp_discovery")
    ports = signature.ports.mask() if signature else np.zeros(65536, bool)
    refused: dict[tuple[str, int], list[IcmpError]] = {}
    for error in case.read.quoted:
        if error.quoted.proto == UDP and ports[error.quoted.dst_port] and _refuses(error):
            refused.setdefault((error.quoted.dst, error.quoted.dst_port), []).append(error)
    most = sorted(refused, key=lambda end: (-sum(item.packets for item in refused[end]), end))
    for rank, (host, port) in enumerate(most):
        yield _refusal(case, rank, host, port, refused[host, port])
    flows, orig, resp = case.flows, case.addresses.orig, case.addresses.resp
    asked = (flows.proto == UDP) & ports[flows.orig_port] & (flows.orig_packets > 0)
    asked &= case.addresses.group[resp] & ((flows.evidence & mark_bit("ssdp")) != 0)
    hosts = distinct(orig[asked]).tolist()
    if len(hosts) > _LOOKED_AT:
        yield Skipped(f"{len(hosts):,} hosts search from this port; only {_LOOKED_AT} of them were looked at")
    for number in hosts[:_LOOKED_AT]:
        rows = np.flatnonzero(asked & (orig == number))
        host, port = case.addresses.text(number), int(flows.orig_port[rows[0]])
        if (host, port) not in refused:
            yield from _silence(case, setting, number, port, rows)


def _refuses(error: IcmpError) -> bool:
    kind = (error.icmp_type, error.icmp_code)
    own = error.sender == error.quoted.dst and kind in _NO_PORT[error.version]
    return own or kind in _FORBIDDEN[error.version]


def _refusal(case: Case, rank: int, host: str, port: int, errors: list[IcmpError]) -> Finding:
    """The host itself, or a filter before it, refuses what devices answer."""
    first = min(errors, key=lambda item: item.first_ns)
    count = sum(item.packets for item in errors)
    devices = listed(sorted_addresses({item.quoted.src for item in errors}))
    own = first.sender == host
    flows = _answers(case, host, port) if rank < FINDINGS_OF_A_RULE else []
    icmp = "icmp" if first.version == 4 else "icmpv6"
    ip = "ip" if first.version == 4 else "ipv6"
    same = all(
        (item.sender, item.icmp_type, item.icmp_code) == (first.sender, first.icmp_type, first.icmp_code)
        for item in errors
    )
    text = (
        f"{icmp}.type == {first.icmp_type} && {icmp}.code == {first.icmp_code} && {ip}.src == {first.sender} && "
        f"udp.dstport == {port}"
    )
    who = "the host itself" if own else f"{case.place(first.sender)}, on the way to it,"
    return Finding(
        title=f"{case.place(host)} does not get the answers to its UPnP search: refused with ICMP",
        summary=(
            f"{counted(count, 'ICMP error')} since {case.at(first.first_ns)}: {who} refuses what {devices} sent to "
            f"{joined(host, port)}/udp. "
            + (
                "No program listens there any more, or a firewall on the host rejects it."
                if own
                else "A device on the way forbids it."
            )
        ),
        flow_ids=flows,
        first_record=first.record,
        selection=lambda: (text if same else "", count),
        severity="warning",
    )


def _answers(case: Case, host: str, port: int) -> list[int]:
    """Flows that end at the host's port."""
    udp, number = case.flows.proto == UDP, case.addresses.find(host)
    there = udp & (case.addresses.resp == number) & (case.flows.resp_port == port)
    turned = udp & (case.addresses.orig == number) & (case.flows.orig_port == port)
    return [int(flow) for flow in np.flatnonzero(there | turned)]


def _silence(
    case: Case, setting: Callable[[str], float], number: int, port: int, rows: Array
) -> Iterator[Finding | Skipped]:
    flows, orig, resp, host = case.flows, case.addresses.orig, case.addresses.resp, case.addresses.text(number)
    begin = int(flows.first_ns[rows].min())
    to_port = (flows.proto == UDP) & (resp == number) & (flows.resp_port == port) & (flows.orig_packets > 0)
    back = (flows.proto == UDP) & (orig == number) & (flows.orig_port == port) & (flows.resp_packets > 0)
    if ((to_port | back) & (flows.last_ns >= begin) & (orig != resp)).any():
        return
    said = [item for item in case.read.searched if (item.address, item.port) == (host, port)]
    wait = max((item.wait for item in said), default=-1)
    seconds = (wait if wait >= 0 else setting("wait_s")) + setting("grace_s")
    end = case.start_ns + case.duration_ns
    if end - begin < seconds * SECOND:
        yield Skipped(f"{host} asked {span(end - begin)} before the end of the capture, devices may answer later")
        return
    if not case.vantage.sees_host(host):
        yield Skipped(f"taken where answers to {host} need not pass: only its search, a multicast, surely does")
        return
    devices = _devices(case, number)
    searches = int(flows.orig_packets[rows].sum())
    mx = f"MX {wait} s" if wait >= 0 else f"no MX seen, {setting('wait_s'):.0f} s assumed"
    known = (
        f"UPnP devices are there: {listed(devices)} sent SSDP."
        if devices
        else "No UPnP device shows itself in this capture, so there may be none."
    )
    yield Finding(
        title=f"Nobody answers the UPnP search of {case.place(host)}",
        summary=(
            f"{counted(searches, 'search', 'searches')} from {joined(host, port)}/udp since {case.at(begin)}; nothing "
            f"came to that port within {seconds:.0f} s ({mx}) nor later. {known}"
        ),
        flow_ids=rows.tolist(),
        first_record=case.first_record(rows.tolist()),
        selection=filters.of_flows(case, rows.tolist()),
        severity="warning" if devices else "info",
    )


def _devices(case: Case, asker: int) -> list[str]:
    """Other hosts that sent SSDP themselves: announcements, or answers to others."""
    flows, orig, resp = case.flows, case.addresses.orig, case.addresses.resp
    ssdp = (flows.proto == UDP) & ((flows.evidence & mark_bit("ssdp")) != 0)
    searching = {item.address for item in case.read.searched}
    sent = np.concatenate([orig[ssdp & (flows.orig_packets > 0)], resp[ssdp & (flows.resp_packets > 0)]])
    found = set(case.addresses.texts(distinct(sent[sent != asker])).tolist())
    by_role = {address for address, words in case.roles.items() if "UPnP device" in words}
    return sorted_addresses((found - searching) | (by_role - {case.addresses.text(asker)}))


RULE = Rule(
    code="DGF-UPNP-NOREPLY",
    severity="warning",
    title="The Administration Client finds no UPnP devices: no answers to its port, or they are refused",
    remedy=(
        "Open 8660/udp for incoming packets in the firewall of the client's host (the answers match no connection that "
        "it opened), keep the search window open while devices answer, and let the switches pass 239.255.255.250."
    ),
    source='Digifort Ports and Addresses, 3.7: "will passively listen for the answers on port 8660 UDP"; UPnP Device '
    "Architecture 1.1, 1.3 (devices answer within MX); RFC 792 for refusals; times ours",
    check=check,
    needs=(needs.DIGIFORT,),
    settings=(
        Setting("wait_s", 5, "s", "that devices have to answer, where the search names no MX"),
        Setting("grace_s", 2, "s", "beyond that"),
    ),
)
