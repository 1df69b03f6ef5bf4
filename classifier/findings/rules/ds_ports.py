"""DS-PORTS: which of the ports that Digital Sentry needs work between a client and a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import failures, filters, needs
from classifier.findings.case import Case
from classifier.findings.model import SEVERITIES, Finding, Rule, Skipped
from classifier.findings.ports import PortRow, matrix

_SEVERITY = {"yes": "error", "no": "info"}
"""By what the article says of the port; "warning": needed only where the feature is used."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    rows = [row for row in case.ports if row.product == "digital_sentry"]
    because = failures.not_judged(case, np.array([row.pair.number for row in rows if row.pair is not None], "i8"))
    if because:
        yield Skipped(because)
    failed: dict[tuple[str, str], list[PortRow]] = {}
    for row in rows:
        if row.failed:
            failed.setdefault((row.client, row.server), []).append(row)
    found = [
        (min(SEVERITIES.index(_severity(row)) for row in items), -len(items), ends, items)
        for ends, items in failed.items()
    ]
    for worst, _, (client, server), items in sorted(found, key=lambda each: each[:3]):
        yield _finding(case, rows, client, server, items, SEVERITIES[worst])


def _severity(row: PortRow) -> str:
    severity = _SEVERITY.get(row.required, "warning")
    if severity == "error" and row.pair is not None and row.pair.worked:
        return "warning"  # it works at times
    return severity


def _finding(case: Case, rows: list[PortRow], client: str, server: str, items: list[PortRow], severity: str) -> Finding:
    items = sorted(items, key=lambda row: (SEVERITIES.index(_severity(row)), row.port))
    troubles = [failures.trouble(case, np.array([row.pair.number])) for row in items if row.pair is not None]
    name = case.facts.signatures.name_of
    always = all(item.never for item in troubles)
    ports = " and ".join(f"{row.where} ({name(row.component)})" for row in items[:3])
    ports += f" and {len(items) - 3:,} more" if len(items) > 3 else ""
    what = " ".join(f"{row.where}: {failures.summary(case, item)}" for row, item in zip(items, troubles, strict=True))
    needed = [row for row in items if row.required == "no"]
    remark = " The Diagnostics tab and the version in the Systems tab need it, nothing else." if needed else ""
    same = [row for row in rows if row.client == client and row.server in (server, "")]
    flows = [flow for item in troubles for flow in failures.flows(case, item)]
    return Finding(
        title=f"{case.place(client)} {'does not reach' if always else 'does not always reach'} {ports} of {server}",
        summary=f"{what}{remark} All ports between them, as seen here: {matrix(same, case)}.",
        remedy=failures.cause_and_remedy(case, troubles[0]),
        severity=severity,
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_pair(case, client, server, items[0].port, troubles[0].proto),
    )


RULE = Rule(
    code="DS-PORTS",
    severity="error",
    title="Ports that Digital Sentry needs are blocked",
    remedy="Open the port in every firewall between the client and the server, and check that the service runs.",
    source=(
        'Pelco support article on Digital Sentry ports: "Without the proper network ports available through filtering '
        'equipment, connection failure will occur"; states of connections by RFC 9293, when silence counts is ours'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
)
