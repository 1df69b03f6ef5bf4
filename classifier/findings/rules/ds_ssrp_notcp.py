"""DS-SSRP-NOTCP: SQL Server Browser answers, and the instance has no TCP port."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule
from classifier.findings.ssrp import SENTRY_SITE, Told

LOOKED_AT = 1000
"""Instances that are looked at one by one."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = case.discovery
    reached = {(row.server, row.instance.upper()) for row in found.told_of if row.port or row.cut}
    groups: dict[tuple[str, str], list[Told]] = {}
    for row in found.sentry_told:
        key = (row.server, row.instance.upper())
        if row.port or key in reached:
            continue
        if found.asked_itself(row.asker, row.server):  # a broadcast is answered by every SQL Server of an office
            groups.setdefault(key, []).append(row)
    findings = []
    for (server, _), rows in list(groups.items())[:LOOKED_AT]:
        others = sorted(name for name, has_port in found.instances_at[server].items() if has_port)
        named = any(found.by_name(row.asker, server, row.instance) for row in rows)
        flows = [flow for row in rows for flow in found.answering(row.asker, server)]
        first, replies = rows[0].first, sum(row.replies for row in rows)
        said = [
            f"{case.place(server)} told {listed([row.asker for row in rows])} about instance {rows[0].instance}, "
            f"version {first.version or 'unknown'}: no TCP port ({replies} of its answers, the first at "
            f"{case.at(first.ts_ns)}, record {first.record})."
        ]
        if named:
            said.append("It was asked for this very instance, so it cannot be reached over TCP.")
        elif others:
            said.append(
                f"Other instances there have one: {listed(others)}. Nobody asked for {rows[0].instance} by name."
            )
        findings.append(
            Finding(
                title=f"SQL Server instance {rows[0].instance} at {server} has no TCP port",
                summary=" ".join(said),
                flow_ids=flows,
                first_record=first.record,
                selection=filters.of_flows(case, flows),
                severity="error" if named or not others else "info",
            )
        )
    yield from sorted(findings, key=lambda item: item.severity != "error")


RULE = Rule(
    code="DS-SSRP-NOTCP",
    severity="error",
    title="Digital Sentry's SQL Server does not listen on TCP",
    remedy=(
        "In SQL Server Configuration Manager on that server enable TCP/IP for this instance (Protocols) and restart "
        "the instance."
    ),
    source=(
        'Pelco support article on Digital Sentry\'s ports: "TCP - Dynamic SQL port"; [MC-SQLR] 2.2.5: an instance '
        "without TCP has no item tcp in its record (0 is none either)"
    ),
    check=check,
    needs=(SENTRY_SITE,),
)
