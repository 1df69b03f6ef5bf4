"""DS-SQL-BLOCKED: the SQL port is known, and cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters
from classifier.findings.attempts import DROPPED, FAILED, INCONCLUSIVE, OUTCOMES, REFUSED, REJECTED, UNANSWERED, Pair
from classifier.findings.case import TCP, Case, listed
from classifier.findings.model import Finding, Rule, Setting, Skipped
from classifier.findings.rejections import words_of
from classifier.findings.ssrp import SECOND, SENTRY_SITE, Told
from classifier.units import counted

LOOKED_AT = 200
"""Clients, servers and ports that are looked at one by one."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    found = case.discovery
    failing: dict[tuple[str, int, int], list[tuple[Told, Pair]]] = {}
    silent: dict[tuple[str, int], list[Told]] = {}
    unclear = 0
    for row in _latest(case)[:LOOKED_AT]:
        pairs = case.attempts.pairs(client=row.asker, server=row.server, port=row.port, proto=TCP)
        if not pairs:
            if _should_follow(case, row, setting("seconds")):
                silent.setdefault((row.server, row.port), []).append(row)
        elif not pairs[0].worked:
            if pairs[0].state in (*FAILED, DROPPED):
                failing.setdefault((row.server, row.port, pairs[0].state), []).append((row, pairs[0]))
            else:
                unclear += pairs[0].state == INCONCLUSIVE
    for (server, port, outcome), items in failing.items():
        yield _blocked(case, server, port, outcome, items)
    for (server, port), rows in silent.items():
        flows = [flow for row in rows for flow in found.answering(row.asker, server)]
        clients = list(dict.fromkeys(row.asker for row in rows))
        yield Finding(
            title=f"{listed(clients)} learned SQL port {port}/tcp of {server}, did not use it",
            summary=(
                f"{case.place(server)} named {port}/tcp for instance {rows[0].instance} at "
                f"{case.at(rows[0].first.ts_ns)} (record {rows[0].first.record}); no connection to it follows in the "
                f"{(case.start_ns + case.duration_ns - rows[0].first.ts_ns) / SECOND:.0f} s until the capture's end. "
                "The answer may not have reached the program (its own firewall, or it came too late), or it took "
                "another way to its database."
            ),
            flow_ids=flows,
            first_record=rows[0].first.record,
            selection=filters.of_flows(case, flows),
            severity="info",
            remedy=(
                "On the client check that its firewall lets the answer from port 1434/udp in, and what its program "
                "says about the database."
            ),
        )
    if unclear and not failing:
        yield Skipped("attempts to reach the SQL port that was named, too few or too late in the capture to tell")


def _latest(case: Case) -> list[Told]:
    """The port that each client was told last, per server and instance."""
    last: dict[tuple[str, str, str], Told] = {}
    for row in case.discovery.sentry_told:
        if row.port:
            last[row.asker, row.server, row.instance.upper()] = row
    return list(last.values())


def _should_follow(case: Case, row: Told, seconds: float) -> bool:
    """Whether a connection had to follow an answer, in this capture: it was wanted by name, and is not elsewhere."""
    found = case.discovery
    rest_ns = case.start_ns + case.duration_ns - row.first.ts_ns
    return (
        rest_ns >= seconds * SECOND
        and found.by_name(row.asker, row.server, row.instance)
        and not len(found.sql_flows(row.asker, row.server))
        and not case.attempts.pairs(client=row.asker, server=row.server, proto=TCP)
    )


def _blocked(case: Case, server: str, port: int, outcome: int, items: list[tuple[Told, Pair]]) -> Finding:
    clients = [pair.client for _, pair in items]
    flows = case.attempts.flows_of(np.array([pair.number for _, pair in items]), *FAILED, DROPPED).tolist()
    tries = len(flows)
    first_ns = min(pair.first_ns for _, pair in items)
    told = items[0][0]
    errors = case.attempts.rejections
    said = [
        f"{case.place(server)} named {port}/tcp for instance {told.instance} at {case.at(told.first.ts_ns)} (record "
        f"{told.first.record}); {counted(tries, 'attempt')} of {listed(clients)} to connect, the first at "
        f"{case.at(first_ns)}: {OUTCOMES[outcome].replace('_', ' ')}, none got through."
    ]
    others = [pair.client for pair in case.attempts.to(server, port) if pair.worked]
    if outcome == REJECTED:
        error = errors.errors[int(errors.error_of_flow[flows[0]])]
        said.append(f"{case.place(error.sender)} answers: {words_of(error)}.")
    elif outcome == REFUSED:
        said.append("A RST came back: nothing listens on that port any more, or a firewall refuses in its name.")
    elif outcome == DROPPED:
        said.append("The connection is accepted and reset before the server says a word.")
    elif outcome == UNANSWERED:
        said.append("No RST either: the port is filtered, or nothing listens and Windows' firewall hides it.")
    if others:
        said.append(f"From {listed(sorted(set(others)))} it works.")
    return Finding(
        title=f"{listed(clients)} cannot reach the SQL Server at {server} on {port}/tcp",
        summary=" ".join(said),
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows),
        remedy=(
            "Check that this instance runs, restart SQL Server Browser if the port is an old one, and look at the "
            f"firewalls: {port}/tcp."
            if outcome == REFUSED
            else ""
        ),
    )


RULE = Rule(
    code="DS-SQL-BLOCKED",
    severity="error",
    title="Digital Sentry's SQL port is blocked",
    remedy=(
        "Allow this TCP port to the SQL Server on every firewall on the way, the server's own included. It is dynamic: "
        "fix it first (DS QuickSetup > Tools > Configure SQL Ports, DS 7.2.30 and later)."
    ),
    source=(
        'Pelco support article on Digital Sentry\'s ports: "TCP - Dynamic SQL port"; "SQL discovery port used by DS '
        'ControlPoint to locate the dynamic SQL TCP port"; "connection failure will occur"'
    ),
    check=check,
    needs=(SENTRY_SITE,),
    settings=(Setting("seconds", 10, "s", "that the capture goes on after an answer, for a connection to follow"),),
)
