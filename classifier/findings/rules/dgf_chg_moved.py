"""DGF-CHG-MOVED: a Digifort service answers on another port than its default one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.evidence.marks import CONFIRMS, PROVES
from classifier.findings import filters, needs
from classifier.findings.case import TCP, Case, listed
from classifier.findings.endpoints import by_responder, originators
from classifier.findings.model import Finding, Rule
from classifier.matching.content import bits_of
from classifier.units import counted

_SERVICES = ("digifort.server", "digifort.analytics", "digifort.lpr", "digifort.web", "digifort.rtsp")


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for component in _SERVICES:
        signature = case.facts.signatures.get(component)
        if signature is None:
            continue
        shown = (case.flows.evidence & bits_of(signature.content, PROVES, CONFIRMS)) != 0
        moved = case.owned_by(component) & shown & ~signature.ports.mask()[case.flows.resp_port]
        for address, port, rows in by_responder(case, np.flatnonzero(moved)):
            yield _finding(case, component, address, port, rows.tolist())


def _finding(case: Case, component: str, address: str, port: int, rows: list[int]) -> Finding:
    signature = case.facts.signatures.get(component)
    usual = signature.ports.text() if signature else ""
    name = case.facts.signatures.name_of(component)
    clients = listed([case.place(item) for item in originators(case, np.array(rows))], "host")
    proofs = [proof for flow in rows[:100] for proof in case.labels.proofs.of(flow)]
    record = min((proof.record for proof in proofs), default=0)
    return Finding(
        title=f"{name} on {case.place(address)} answers on port {port}, not on {usual}",
        summary=(
            f"What it sends shows that it is {name}: {counted(len(rows), 'connection')} to {port}/tcp, opened by "
            f"{clients}, the first at {case.at(int(case.flows.first_ns[rows].min()))}. The port can be changed, so "
            "this is a configuration (or a port forwarding on the way) and no fault."
        ),
        flow_ids=rows,
        first_record=record or case.first_record(rows),
        selection=filters.of_endpoint(case, address, port, TCP),
        remedy=(
            f"Firewalls and clients must name {port}/tcp. Connections without such proof are found too with "
            f"--map {component}={port}/tcp."
        ),
    )


RULE = Rule(
    code="DGF-CHG-MOVED",
    severity="info",
    title="A Digifort service answers on another port than its default one",
    remedy="Firewalls and clients must name the port that is in use.",
    source='Digifort Ports and Addresses, 3.1: "it can be changed from Digifort Server configuration on administration '
    "client\"; 3.3, 3.8 and 3.9 say the same of the web, Analytics and LPR servers; of the RTSP server: the vendor's "
    "RTSP notes",
    check=check,
    needs=(needs.DIGIFORT,),
)
