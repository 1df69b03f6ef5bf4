"""DS-SQL-PORT: which TCP port Digital Sentry's SQL Server has now."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters
from classifier.findings.attempts import WORKED
from classifier.findings.case import TCP, Case, listed
from classifier.findings.model import Finding, Rule, nothing
from classifier.findings.ssrp import SENTRY_SITE, Told
from classifier.units import counted

SQL_DEFAULT = 1433
LOOKED_AT = 50
"""Servers and ports that are looked at one by one."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = case.discovery
    ports: dict[tuple[str, int], list[Told]] = {}
    for row in found.sentry_told:
        if row.port:
            ports.setdefault((row.server, row.port), []).append(row)
    for (server, port), rows in list(ports.items())[:LOOKED_AT]:
        pairs = case.attempts.pairs(server=server, port=port, proto=TCP)
        if not any(found.by_name(row.asker, server, row.instance) for row in rows) and not pairs:
            continue  # one of many in a list that nobody wanted
        names = sorted({row.instance for row in rows})
        clients = list(dict.fromkeys(row.asker for row in rows))
        working = [pair.client for pair in pairs if pair.worked]
        flows = [flow for pair in pairs for flow in case.attempts.flows_of(np.array([pair.number]), *WORKED).tolist()]
        changing = "" if port == SQL_DEFAULT else ", which SQL Server picks anew when it starts unless it is fixed"
        yield Finding(
            title=f"SQL Server {listed(names)} at {server} listens on {port}/tcp now",
            summary=(
                f"{case.place(server)} says so since {case.at(rows[0].first.ts_ns)} (record {rows[0].first.record}, "
                f"version {rows[0].first.version or 'unknown'}) to {counted(len(clients), 'client')}: "
                f"{listed(clients)}. Connections to it here: {listed(sorted(set(working)))}. A firewall between "
                f"clients and this server has to let through 1434/udp and {port}/tcp{changing}."
            ),
            flow_ids=flows,
            first_record=rows[0].first.record,
            selection=filters.of_endpoint(case, server, port, TCP) if pairs else nothing,
        )


RULE = Rule(
    code="DS-SQL-PORT",
    severity="info",
    title="The port of Digital Sentry's SQL Server",
    remedy=(
        "Before writing a firewall rule for this port fix it: DS QuickSetup > Tools > Configure SQL Ports (DS 7.2.30 "
        "and later)."
    ),
    source=(
        "Pelco support article on Digital Sentry's ports: \"Dynamic SQL port which would need to be obtained through "
        "DS "
        'Quick setup"; "DS QuickSetup > Tools > Configure SQL Ports (DS 7.2.30 +)". Reading it from the SSRP reply is '
        "ours"
    ),
    check=check,
    needs=(SENTRY_SITE,),
)
