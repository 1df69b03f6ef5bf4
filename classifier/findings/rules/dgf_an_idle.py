"""DGF-AN-IDLE: an Analytics or LPR server that no Digifort server sends data to."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import needs
from classifier.findings.case import Case, listed, sorted_addresses
from classifier.findings.filters import of_endpoint
from classifier.findings.media import digifort_servers
from classifier.findings.model import Finding, Rule, Setting, Skipped, nothing
from classifier.units import span

_KINDS = (("digifort.analytics", "Analytics"), ("digifort.lpr", "LPR"))
_LOOKED_AT = 100


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    servers = digifort_servers(case)
    for component, name in _KINDS:
        signature = case.facts.signatures.get(component)
        said = {host.address for host in case.facts.signatures.hosts if host.component == component}
        present = {address for address in said if case.addresses.find(address) >= 0}
        hosts = sorted_addresses({*case.hosts_of(component), *present})
        if signature is None or not hosts:
            continue
        others = servers - set(hosts)
        if not others:
            yield Skipped(f"{name} server {listed(hosts)} is here, but no Digifort server on another host")
            continue
        if len(hosts) > _LOOKED_AT:
            yield Skipped(f"{len(hosts):,} hosts look like {name} servers; only {_LOOKED_AT} of them were looked at")
        for host in hosts[:_LOOKED_AT]:
            if host in servers:
                yield Skipped(f"{host} is a Digifort server too: what it sends to its own {name} server is not seen")
                continue
            found = _one(case, setting, component, name, host, others)
            if found is not None:
                yield found


def _one(
    case: Case, setting: Callable[[str], float], component: str, name: str, host: str, servers: set[str]
) -> Finding | Skipped | None:
    rows = np.flatnonzero(case.owned_by(component))
    own = case.addresses.find(host)
    rows = rows[case.own_address(rows) == own]
    ends = np.where(case.addresses.orig[rows] == own, case.addresses.resp[rows], case.addresses.orig[rows])
    clients = set(case.addresses.texts(distinct(ends)).tolist())
    tried = {pair.client for pair in case.attempts.pairs(server=host, component=component)}
    if (clients | tried) & servers:
        return None
    if case.seconds < setting("seconds"):
        return Skipped(f"the capture lasts {span(case.duration_ns)}, too short to say that {host} gets no data")
    watched = [server for server in sorted_addresses(servers) if case.vantage.sees_host(server)]
    if not case.vantage.sees_host(host) and not watched:
        return Skipped(f"taken where a connection to the {name} server {host} would not be seen")
    whom = "no Digifort server connects" if case.vantage.sees_host(host) else f"{listed(watched)} does not connect"
    port = int(case.flows.resp_port[rows[0]]) if len(rows) else 0
    where = "" if case.vantage.sees_host(host) else ", as far as can be seen from here"
    by = f"Connected are: {listed(sorted_addresses(clients))}." if clients else "Nobody is connected."
    return Finding(
        title=f"{name} server {case.place(host)} gets no data: {whom} to it",
        summary=(
            f"In {span(case.duration_ns)} {listed(sorted_addresses(servers))} opened or used no connection to it{where}"
            f". {by} A connection that was silent all that time would look the same."
        ),
        flow_ids=rows.tolist(),
        first_record=case.first_record(rows.tolist()),
        selection=of_endpoint(case, host, port, 6) if port else nothing,
    )


RULE = Rule(
    code="DGF-AN-IDLE",
    severity="info",
    title="No Digifort server sends data to an Analytics or LPR server",
    remedy=(
        "In the Administration Client, look whether the Analytics or LPR server is registered in the Digifort server "
        "and has cameras assigned; then whether the server can reach its port."
    ),
    source='Digifort Ports and Addresses, 3.8 and 3.9: "Digifort Server will connect to this port to send data"',
    check=check,
    needs=(needs.DIGIFORT,),
    settings=(Setting("seconds", 60, "s", "a capture must last to say that nobody connected"),),
)
