"""DGF-VERSIONS: which version each Digifort server names, and whether they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.evidence.proofs import Proof
from classifier.findings import needs
from classifier.findings.case import Case, joined, listed
from classifier.findings.endpoints import by_responder
from classifier.findings.filters import of_flows
from classifier.findings.model import Finding, Rule

_GREETINGS = ("digifort_login", "digifort_analytics", "digifort_lpr")
_LOOKED_AT = 200
"""Connections of one endpoint whose greeting is looked at."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    bits = sum(mark_bit(code) for code in _GREETINGS)
    rows = np.flatnonzero(case.of_product("digifort") & ((case.flows.evidence & bits) != 0))
    said: dict[tuple[str, int, str], tuple[int, Proof]] = {}
    for address, port, flows in by_responder(case, rows):
        for flow in np.sort(flows)[:_LOOKED_AT].tolist():
            for proof in case.labels.proofs.of(flow):
                if proof.code in _GREETINGS and proof.detail:
                    said.setdefault((address, port, proof.detail), (flow, proof))
    if not said:
        return
    versions = sorted({version for _, _, version in said})
    lines = []
    for (address, port, version), (flow, _) in said.items():
        name = case.facts.signatures.name_of(case.labels.components[int(case.labels.component[flow])])
        lines.append(f"{name} {case.place(joined(address, port))}: {version}")
    first = min((proof for _, proof in said.values()), key=lambda item: item.ts_ns)
    ids = list(dict.fromkeys(flow for flow, _ in said.values()))
    differ = len(versions) > 1
    yield Finding(
        title=f"Digifort servers of {len(versions)} different versions"
        if differ
        else f"Digifort's greetings name version {versions[0]}",
        summary=(
            f"By their greetings: {listed(lines, most=10)}. "
            + (
                "Distributed servers of another version than the main server may refuse to work with it. "
                if differ
                else ""
            )
            + "The main server's greeting names no version, as far as is publicly known."
        ),
        flow_ids=ids,
        first_record=first.record,
        selection=of_flows(case, ids),
        severity="warning" if differ else "info",
    )


RULE = Rule(
    code="DGF-VERSIONS",
    severity="warning",
    title="Versions that Digifort servers name in their greetings",
    remedy="Compare with the version of the main server, and bring all servers of the site to one version.",
    source="frames of version 6.5 as in nmap-service-probes (CMD_ANALYTICS_VERSION); that versions be equal is ours",
    check=check,
    needs=(needs.DIGIFORT,),
)
