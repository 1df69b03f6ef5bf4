"""DS-AUDIO-ODD: audio ports that are not one for each client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.audio import COMPONENT, Activity, Listener, audio_flows, listeners, port_range
from classifier.findings.case import UDP, Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted

BEYOND = 100
"""Ports above the known range that are looked at."""
STREAM_PACKETS = 10
STREAM_RATIO = 4
"""A one-way stream, as attribution takes it."""
COMPARED = 200
"""Clients and ports of one server that are compared."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    rows, _ = audio_flows(case)
    servers: dict[str, list[Listener]] = {}
    for item in listeners(case, rows):
        servers.setdefault(item.server, []).append(item)
    for server, items in servers.items():
        items = items[:COMPARED]
        clients = _several({item.client for item in items}, items, lambda item: item.client)
        ports = _several({str(item.port) for item in items}, items, lambda item: str(item.port))
        if clients or ports:
            activity = Activity(case, [flow for item in items for flow in item.flows])
            for group in clients:
                yield from _at_once(case, server, group, activity, setting("seconds"), one_client=True)
            for group in ports:
                yield from _at_once(case, server, group, activity, setting("seconds"), one_client=False)
    yield from _beyond(case)


def _several(names: set[str], items: list[Listener], key: Callable[[Listener], str]) -> list[list[Listener]]:
    groups = [[item for item in items if key(item) == name] for name in sorted(names)]
    return [group for group in groups if len(group) > 1]


def _at_once(
    case: Case, server: str, group: list[Listener], activity: Activity, seconds: float, *, one_client: bool
) -> Iterator[Finding]:
    """Two or more of a group that are used at the same time."""
    busy = [
        item
        for item in group
        if any(other is not item and activity.together_ns(item, other) >= seconds * 1e9 for other in group)
    ]
    if len(busy) < 2:
        return
    flows = [flow for item in busy for flow in item.flows]
    what = listed([f"{item.client} on {item.port} ({counted(item.sent, 'packet')})" for item in busy])
    names = listed([str(item.port) if one_client else item.client for item in busy])
    title = (
        f"{busy[0].client} gets audio of {server} on {len(busy)} ports at once: {names}"
        if one_client
        else f"{len(busy)} clients get audio of {server} on port {busy[0].port}: {names}"
    )
    reason = (
        "A client has one port however many cameras it hears: two programs or sessions on this host, or software that "
        "is not Digital Sentry's."
        if one_client
        else "Each client has a port of its own: two hosts on one port are address translation that goes wrong, a "
        "server that counts anew, or software that is not Digital Sentry's."
    )
    yield Finding(
        title=title,
        summary=f"{case.place(server)} sends at the same time to {what}. {reason}",
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows),
    )


def _beyond(case: Case) -> Iterator[Finding]:
    """Streams of a Digital Sentry server to its clients, above the range that is taken for audio."""
    flows, addresses = case.flows, case.addresses
    servers = [addresses.find(host) for host in case.hosts_of("digital_sentry.video", "digital_sentry.diagnostics")]
    start, top = port_range(case)
    if not servers or not top:
        return
    shown = case.discovery.shown_hosts
    hit = (flows.proto == UDP) & np.isin(addresses.orig, servers) & shown[addresses.resp]
    hit &= (flows.resp_port > top) & (flows.resp_port <= top + BEYOND) & (flows.orig_packets >= STREAM_PACKETS)
    hit &= flows.orig_packets >= STREAM_RATIO * flows.resp_packets
    rows = np.flatnonzero(hit)
    if not len(rows):
        return
    last = int(flows.resp_port[rows].max())
    clients = [addresses.text(number) for number in dict.fromkeys(addresses.resp[rows].tolist())]
    yield Finding(
        title=f"Audio goes up to port {last}, above {top}",
        summary=(
            f"{listed([addresses.text(k) for k in dict.fromkeys(addresses.orig[rows].tolist())])} sends streams to "
            f"{listed(clients)} on ports {int(flows.resp_port[rows].min())} to {last}/udp. Digital Sentry counts audio "
            f"ports up from {start} without a stated end; {top} is where this report stops. Firewall rules made "
            f"for 187xx may stop there too."
        ),
        flow_ids=rows.tolist(),
        first_record=case.first_record(rows.tolist()),
        selection=filters.of_flows(case, rows.tolist()),
        remedy=(
            f"If it is audio, allow {start}-{last}/udp and read the capture again with "
            f"--map {COMPONENT}={start}-{last}/udp."
        ),
    )


RULE = Rule(
    code="DS-AUDIO-ODD",
    severity="warning",
    title="Digital Sentry's audio ports are not one for each client",
    remedy="Find out which programs use these ports on the hosts named; look at address translation between them.",
    source=(
        'Pelco support article on Digital Sentry\'s ports: "Port usage per DS CP client not individual audio stream"; '
        '"18778 - 187xx UDP"'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
    settings=(Setting("seconds", 2, "s", "that two must be used at the same time"),),
)
