"""DS-SQL-CHANGED: the SQL port is not what it was, or not what the browser says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.findings import filters
from classifier.findings.case import TCP, Case, listed
from classifier.findings.model import Finding, Rule
from classifier.findings.ssrp import SENTRY_SITE, Told

DAC_PORT = 1434
LOOKED_AT = 1000


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = case.discovery
    ports: dict[tuple[str, str, str], dict[int, Told]] = {}
    for row in found.sentry_told:
        if row.port:
            key = (row.server, row.first.server.upper(), row.instance.upper())
            ports.setdefault(key, {}).setdefault(row.port, row)
    for (server, _, _), by_port in ports.items():
        if len(by_port) > 1:
            yield _changed(case, server, list(by_port.values()))
    yield from _elsewhere(case)


def _changed(case: Case, server: str, rows: list[Told]) -> Finding:
    found = case.discovery
    flows = [
        flow
        for asker in dict.fromkeys(row.asker for row in rows[:LOOKED_AT])
        for flow in found.answering(asker, server)
    ]
    story = listed([f"{row.port}/tcp at {case.at(row.first.ts_ns)} (record {row.first.record})" for row in rows])
    return Finding(
        title=f"The SQL port of {rows[0].instance} at {server} changed from {rows[0].port} to {rows[-1].port}",
        summary=(
            f"SQL Server Browser at {case.place(server)} named for the same instance {story}. The instance was "
            "restarted and took another port: a firewall rule for one of them stops working."
        ),
        flow_ids=flows,
        first_record=rows[1].first.record,
        selection=filters.of_flows(case, flows),
    )


def _elsewhere(case: Case) -> Iterator[Finding]:
    """Clients that were told one port and speak TDS on another one, which no instance there has."""
    found, flows = case.discovery, case.flows
    tds = np.flatnonzero((flows.proto == TCP) & ((flows.evidence & mark_bit("tds_prelogin")) != 0))
    if not len(tds):
        return
    named: dict[str, set[int]] = {}
    for row in found.told_of:
        named.setdefault(row.server, set()).add(row.port)
    seen: set[tuple[str, str]] = set()
    for row in [row for row in found.sentry_told if row.port][:LOOKED_AT]:
        if (row.asker, row.server) in seen or not found.by_name(row.asker, row.server, row.instance):
            continue
        seen.add((row.asker, row.server))
        client, server = case.addresses.find(row.asker), case.addresses.find(row.server)
        own = tds[(case.addresses.orig[tds] == client) & (case.addresses.resp[tds] == server)]
        own = own[flows.first_ns[own] > row.first.ts_ns]
        used = {int(port) for port in flows.resp_port[own]} - {DAC_PORT}
        if not used or used & named[row.server]:
            continue
        port = min(used)
        ids = own[flows.resp_port[own] == port].tolist()
        yield Finding(
            title=f"{row.asker} is told SQL port {row.port} of {row.server} and uses {port}",
            summary=(
                f"SQL Server Browser at {case.place(row.server)} named {row.port}/tcp for instance {row.instance} at "
                f"{case.at(row.first.ts_ns)} (record {row.first.record}); the client then speaks TDS to {port}/tcp, "
                "which no answer here names, and never to the named one. The client has a fixed port or alias, or "
                "address translation stands between them: what the browser says and what firewalls have to allow "
                "differ."
            ),
            flow_ids=ids,
            first_record=case.first_record(ids),
            selection=filters.of_flows(case, ids),
        )


RULE = Rule(
    code="DS-SQL-CHANGED",
    severity="warning",
    title="Digital Sentry's SQL port changed",
    remedy=(
        "Fix the SQL port (DS QuickSetup > Tools > Configure SQL Ports, DS 7.2.30 and later) and write the firewall "
        "rule for that port."
    ),
    source=(
        'Pelco support article on Digital Sentry\'s ports: "Dynamic SQL port"; "The dynamic port can be located using '
        'DS QuickSetup > Tools > Configure SQL Ports (DS 7.2.30 +)"'
    ),
    check=check,
    needs=(SENTRY_SITE,),
)
