"""DS-SSRP-SLOW: SQL Server Browser answers so late that the client no longer waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.ssrp import SECOND, SENTRY_SITE
from classifier.units import counted, span

LOOKED_AT = 10_000


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found, flows = case.discovery, case.flows
    limit_ns = setting("seconds") * SECOND
    long = flows.last_ns[found.rows] - flows.first_ns[found.rows] > limit_ns
    rows = np.flatnonzero((found.asked > 0) & (found.told > 0) & found.sentry & long)
    late: dict[int, list[tuple[int, int, int]]] = {}
    for row in rows[:LOOKED_AT].tolist():
        asked = [(proof.ts_ns, proof.record) for proof in found.requests(row)]
        for reply in found.replies(row):
            before = max((item for item in asked if item[0] <= reply.ts_ns), default=None)
            if before is not None and reply.ts_ns - before[0] > limit_ns:
                late.setdefault(int(found.server[row]), []).append((reply.ts_ns - before[0], row, reply.record))
                break
    for server, items in sorted(late.items(), key=lambda item: -len(item[1])):
        items.sort(key=lambda item: -item[0])
        address = case.addresses.text(server)
        ids = [int(found.rows[row]) for _, row, _ in items]
        clients = [case.addresses.text(int(found.client[row])) for _, row, _ in items]
        yield Finding(
            title=f"The SQL Server Browser at {address} answers after {span(items[0][0])}",
            summary=(
                f"{counted(len(items), 'answer')} to {listed(list(dict.fromkeys(clients)))} came more than "
                f"{setting('seconds'):g} s after the request; the latest one is record {items[0][2]}. Microsoft's SQL "
                "clients wait one second and then take the instance for not found, whatever comes later."
            ),
            flow_ids=ids,
            first_record=case.first_record(ids),
            selection=filters.of_flows(case, ids),
        )


RULE = Rule(
    code="DS-SSRP-SLOW",
    severity="warning",
    title="SQL Server Browser answers too late",
    remedy=(
        "Look for the delay: a long or full WAN or VPN path, or a busy server. Else fix the SQL port and give it to "
        "the clients (address,port), so that they need not ask."
    ),
    source=(
        "ours; Microsoft's public SQL client sources (SqlClient's SSRP, receive timeout 1 s; the ODBC driver's default "
        "of 1,000 ms). How long DS ControlPoint waits is not public"
    ),
    check=check,
    needs=(SENTRY_SITE,),
    settings=(Setting("seconds", 1, "s", "from the last request to its answer"),),
)
