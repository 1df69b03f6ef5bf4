"""DS-SSRP-OTHERIP: SQL Server Browser answers from another address than the one that was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import filters
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.ssrp import SECOND, SENTRY_SITE
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    found = case.discovery
    groups: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, answers in found.elsewhere(int(setting("seconds") * SECOND)).items():
        for answer in answers:
            if not found.broadcast[row] and (found.sentry[row] or found.sentry[answer]):
                groups.setdefault((int(found.server[row]), int(found.server[answer])), []).append((row, answer))
    for (asked, other), rows in groups.items():
        asked_ip, other_ip = case.addresses.text(asked), case.addresses.text(other)
        clients = [case.addresses.text(k) for k in dict.fromkeys(int(found.client[row]) for row, _ in rows)]
        flows = [int(found.rows[row]) for pair in rows for row in pair]
        first = int(found.rows[rows[0][1]])
        reached = [c for c in clients[:50] if len(found.sql_flows(c, other_ip)) + len(found.sql_flows(c, asked_ip))]
        said = (
            f"{listed(clients)} asked {case.place(asked_ip)} on 1434/udp; the answer to the same port came from "
            f"{case.place(other_ip)}: {counted(len(rows), 'time')}, the first at "
            f"{case.at(int(case.flows.first_ns[first]))}. A firewall that follows connections does not know this "
            "answer and drops it, so the next firewall on the way will."
        )
        if reached:
            said += f" {listed(reached)} has a SQL connection all the same, so here the answer gets through."
        yield Finding(
            title=f"{asked_ip} is asked for the SQL port, {other_ip} answers",
            summary=said,
            flow_ids=flows,
            first_record=int(case.flows.first_record[first]),
            selection=filters.of_flows(case, flows),
            severity="info" if len(reached) == len(clients) else "warning",
        )


RULE = Rule(
    code="DS-SSRP-OTHERIP",
    severity="warning",
    title="SQL Server Browser answers from another address",
    remedy=(
        "A cluster or a server with several addresses: set the clients up with the address that answers, or fix the "
        "SQL port and give it to them. NAT: translate 1434/udp in both directions."
    ),
    source=(
        'Pelco support article on Digital Sentry\'s ports: "1434 UDP ... SQL discovery port"; that a cluster answers '
        "from another address: comments of FreeTDS; that firewalls drop it is ours"
    ),
    check=check,
    needs=(SENTRY_SITE,),
    settings=(Setting("seconds", 5, "s", "that an answer may come after the request it belongs to"),),
)
