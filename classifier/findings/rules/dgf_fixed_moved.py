"""DGF-FIXED-MOVED: Digifort on a port that its ports document calls unchangeable."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.evidence.marks import mark_bit
from classifier.findings import filters, needs
from classifier.findings.case import TCP, UDP, Case, listed, sorted_addresses
from classifier.findings.endpoints import by_responder, originators
from classifier.findings.media import digifort_servers
from classifier.findings.model import Finding, Rule, Skipped
from classifier.units import counted

_OLD = (
    "The ports document is of 2011: a newer version, a port forwarding (NAT) on the way, a TLS or proxy front, or "
    "another program that works alike are possible."
)

_LOOKED_AT = 200
"""Hosts that search from the port, whose answers are looked at."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    yield from _api(case)
    if not case.read.limits.follow:
        yield Skipped("--fast leaves media streams out, so the ports of cameras' media are not known")
    yield from _media(case)
    yield from _answers(case)


def _api(case: Case) -> Iterator[Finding]:
    """Requests for /Interface/... on another port."""
    signature = case.facts.signatures.get("digifort.http_api")
    if signature is None:
        return
    shown = (case.flows.evidence & mark_bit("digifort_interface_path")) != 0
    moved = case.owned_by("digifort.http_api") & shown & ~signature.ports.mask()[case.flows.resp_port]
    usual = signature.ports.text()
    for address, port, rows in by_responder(case, np.flatnonzero(moved)):
        flows = rows.tolist()
        clients = listed([case.place(item) for item in originators(case, rows)], "host")
        yield Finding(
            title=f"The Digifort API of {case.place(address)} is asked on port {port}, not on {usual}",
            summary=(
                f"{counted(len(flows), 'connection')} with requests for /Interface/... went to {port}/tcp, from "
                f"{clients}, the first at {case.at(int(case.flows.first_ns[rows].min()))}. {_OLD}"
            ),
            flow_ids=flows,
            first_record=_record(case, flows, "digifort_interface_path"),
            selection=filters.of_endpoint(case, address, port, TCP),
        )


def _media(case: Case) -> Iterator[Finding]:
    """Streams of cameras to a Digifort server, outside the range."""
    signature = case.facts.signatures.get("digifort.media_input")
    if signature is None or not len(case.read.streams):
        return
    servers = digifort_servers(case)
    outside: dict[str, list[dict[str, object]]] = {}
    for row in case.report.rows("streams"):
        target = row["receiver_address"]
        if row["transport"] != "udp" or target not in servers or row["receiver_port"] in signature.ports:
            continue
        if row["sender_address"] not in servers and "camera" in case.roles.get(row["sender_address"], ()):
            outside.setdefault(target, []).append(row)
    for target, rows in outside.items():
        flows = list(dict.fromkeys(int(str(row["flow_id"])) for row in rows))
        ports = sorted({int(str(row["receiver_port"])) for row in rows})
        cameras = listed([case.place(item) for item in sorted({str(row["sender_address"]) for row in rows})], "camera")
        yield Finding(
            title=f"Cameras send media to {case.place(target)} outside the ports {signature.ports.text()}",
            summary=(
                f"{counted(len(rows), 'stream')} from {cameras} to "
                f"{listed([str(port) for port in ports], 'port')}. A firewall that opens only "
                f"{signature.ports.text()}/udp stops them. {_OLD}"
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
        )


def _answers(case: Case) -> Iterator[Finding]:
    """Answers to a search from 8660 that come to another port."""
    signature = case.facts.signatures.get("digifort.upnp_discovery")
    if signature is None:
        return
    flows, orig, resp = case.flows, case.addresses.orig, case.addresses.resp
    udp = flows.proto == UDP
    ssdp = udp & ((flows.evidence & mark_bit("ssdp")) != 0)
    from_port = ssdp & signature.ports.mask()[flows.orig_port] & case.addresses.group[resp]
    # what only the other side sent: (host, its port) of the silent end
    only_to_resp, only_to_orig = ssdp & (flows.resp_packets == 0), ssdp & (flows.orig_packets == 0)
    searchers = distinct(orig[from_port])
    searchers = searchers[np.isin(searchers, np.concatenate([resp[only_to_resp], orig[only_to_orig]]))]
    for host in searchers.tolist()[:_LOOKED_AT]:
        own = np.zeros(65536, bool)  # ports that it sent from, or where announcements come
        own[flows.orig_port[udp & (orig == host) & (flows.orig_packets > 0)]] = True
        own[flows.resp_port[udp & (resp == host) & (flows.resp_packets > 0)]] = True
        own[1900] = True
        begin = int(flows.first_ns[from_port & (orig == host)].min())
        astray = only_to_resp & (resp == host) & ~own[flows.resp_port]
        turned = only_to_orig & (orig == host) & ~own[flows.orig_port]
        rows = np.flatnonzero((astray | turned) & (flows.last_ns >= begin))
        if not len(rows):
            continue
        ports = distinct(np.where(turned[rows], flows.orig_port[rows], flows.resp_port[rows])).tolist()
        senders = distinct(np.where(turned[rows], resp[rows], orig[rows]))
        devices = listed(sorted_addresses(case.addresses.texts(senders).tolist()))
        address = case.addresses.text(host)
        yield Finding(
            title=f"UPnP answers to {case.place(address)} come to another port than {signature.ports.text()}",
            summary=(
                f"The search left from port {signature.ports.text()} at {case.at(begin)}; answers of {devices} came to "
                f"port {listed([str(port) for port in ports])}, from which this host sent nothing. {_OLD}"
            ),
            flow_ids=rows.tolist(),
            first_record=case.first_record(rows.tolist()),
            selection=filters.of_flows(case, rows.tolist()),
        )


def _record(case: Case, flows: list[int], code: str) -> int:
    """Record of the first payload that proves it."""
    proofs = [proof for flow in flows[:100] for proof in case.labels.proofs.of(flow) if proof.code == code]
    return min(proofs, key=lambda item: item.ts_ns).record if proofs else case.first_record(flows)


RULE = Rule(
    code="DGF-FIXED-MOVED",
    severity="warning",
    title="Digifort uses a port that its ports document calls unchangeable",
    remedy="Find out who moved it (NAT, proxy, newer version), and write firewall rules for the port that is in use.",
    source='Digifort Ports and Addresses, 3.2: "The default port 8601 cannot be changed from system configurations"; '
    '3.4: "This port range cannot be changed on system configurations"; 3.7: "This port cannot be changed"',
    check=check,
    needs=(needs.DIGIFORT,),
)
