"""DS-AUDIO-PORTS: which client hears on which port, and what a firewall has to allow now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters, needs
from classifier.findings.audio import Listener, audio_flows, listeners, port_range
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Skipped
from classifier.units import counted

NAMED = 22
"""Clients that a finding names: as many as 18778 to 18799 have room for."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    rows, alike = audio_flows(case)
    if not len(rows):
        if len(alike):
            yield Skipped(f"streams to {port_range(case)[0]}/udp and above, but nothing else here shows Digital Sentry")
        return
    servers: dict[str, list[Listener]] = {}
    for item in listeners(case, rows):
        servers.setdefault(item.server, []).append(item)
    for server, items in servers.items():
        yield _finding(case, server, items)


def _finding(case: Case, server: str, items: list[Listener]) -> Finding:
    items = sorted(items, key=lambda item: (item.port, item.client))
    clients = {item.client for item in items}
    ports = sorted({item.port for item in items})
    start = port_range(case)[0]
    last = max(ports[-1], start + len(clients) - 1)
    span = f"{start}/udp" if last == start else f"{start}-{last}/udp"
    unused = [str(port) for port in range(start, last) if port not in ports]
    said = [
        f"{case.place(server)} sends audio to "
        + listed([f"{item.client} on {item.port} ({counted(item.sent, 'packet')})" for item in items], most=NAMED)
        + f". For now {span} is needed from the server; each further client "
        f"that listens at the same time takes one more, the next one {last + 1}."
    ]
    if not any(item.back for item in items) and all(case.vantage.both_ways(client) for client in clients):
        said.append("Clients send nothing back on these ports, so a firewall has to allow them from outside.")
    if unused:
        said.append(f"Not seen: {listed(unused)}; a client that has stopped, or one that this capture does not show.")
    flows = [flow for item in items for flow in item.flows]
    return Finding(
        title=f"Audio from {server} to {counted(len(clients), 'client')}: {span}",
        summary=" ".join(said),
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows),
    )


RULE = Rule(
    code="DS-AUDIO-PORTS",
    severity="info",
    title="Audio ports of Digital Sentry that are in use",
    remedy=(
        "Allow this range, and as many ports more as clients may listen at the same time, from the server to clients."
    ),
    source=(
        "Pelco support article on Digital Sentry's ports: \"18778 - 187xx UDP - Utilized to deliver audio from Digital "
        'Sentry servers to ControlPoint clients"; "the next DS CP client that request audio will use the next UDP '
        'port up"'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
)
