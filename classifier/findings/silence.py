"""SQL Server Browsers that do not answer: DS-SSRP-SILENT and NET-SSRP-SILENT.

In: a Case. Out: one finding per server and cause. Next: the two rules, which differ in whose SQL Server it is.

Causes, best known first: an ICMP error says that nothing listens or that a device refuses; the browser answers others
or other questions; nothing at all comes back. [MC-SQLR] lets a browser ignore a question for an instance that it does
not have, so silence alone never says "blocked".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters
from classifier.findings.attempts import WORKED
from classifier.findings.case import UDP, Array, Case, listed
from classifier.findings.model import Finding, Setting, Skipped
from classifier.findings.rejections import PORT as NO_PORT
from classifier.findings.rejections import PROHIBITED, kind_of, words_of
from classifier.findings.ssrp import PORT, SECOND, Discovery, name_of
from classifier.units import counted

SETTINGS = (
    Setting("seconds", 5, "s", "that a server has to answer"),
    Setting("servers", 20, "servers", "that one client asks before it counts as a scan, for which silence is usual"),
)
LOOKED_AT = 50
"""Clients of one server that are looked at one by one."""
NAMED_REQUESTS = 1000
"""Requests whose instance is named; others only where the cause depends on it."""

CLOSED, REFUSED, FILTERED, UNREACHABLE = "closed", "refused", "filtered", "unreachable"
INSTANCE, SOMETIMES, OTHERS, SILENT = "instance", "sometimes", "others", "silent"
_ORDER = (CLOSED, REFUSED, FILTERED, UNREACHABLE, INSTANCE, OTHERS, SILENT, SOMETIMES)

_REMEDY = {
    CLOSED: (
        "On that server start the service SQL Server Browser and set it to start automatically. If it runs, its "
        "firewall rejects 1434/udp: allow it."
    ),
    REFUSED: "Allow 1434/udp to the SQL Server, and its answers back, on the device that refuses it.",
    FILTERED: "Allow 1434/udp to the SQL Server, and its answers back, on the device that refuses it.",
    UNREACHABLE: "Check the address that the client is set up with, the route to it, and whether the server is up.",
    INSTANCE: (
        "Compare the instance name in the client's settings with the instances on the server (services "
        "'SQL Server (NAME)'), and check that this instance runs and is not hidden."
    ),
    SOMETIMES: "Look for packet loss between the two, and for firewalls that limit UDP.",
}
_REMEDY_SILENT = (
    "On the server check that SQL Server Browser runs, that the instance exists and is not hidden; then allow 1434/udp "
    "in both directions on every firewall on the way, the server's own included. A client that is told the port "
    "(address,port) needs no 1434/udp."
)


@dataclass(slots=True)
class _Silence:
    server: int
    cause: str
    error: int  # index into the pass's errors, -1 without one
    rows: list[int]
    requests: int
    names: set[str]  # of the instances asked for, in vain


def silences(case: Case, setting: Callable[[str], float], *, sentry: bool) -> Iterator[Finding | Skipped]:
    """Findings about servers of Digital Sentry (`sentry`) or about all others."""
    found = case.discovery
    window_ns = int(setting("seconds") * SECOND)
    rejected = case.attempts.rejections.error_of_flow[found.rows] >= 0
    first_ns = case.flows.first_ns[found.rows]
    wanted = (found.sentry == sentry) & ~found.broadcast & (found.asked > 0) & ~found.scanners(setting("servers"))
    silent = wanted & (found.told == 0)
    silent[list(found.elsewhere(window_ns))] = False
    late = silent & ~rejected & (case.start_ns + case.duration_ns - first_ns < window_ns)
    unseen = silent & ~rejected & ~case.attempts.return_seen[found.rows]
    one_sided = case.vantage.both_directions is False
    if one_sided:
        unseen = silent & ~rejected
    decided = silent & ~late & ~unseen
    groups = _grouped(case, found, np.flatnonzero(decided).tolist())
    partly = np.flatnonzero(wanted & (found.told > 0) & (found.asked > found.told))
    for row in partly[:1000].tolist():
        unknown = _unknown(case, found, row, window_ns)
        if unknown:
            _add(groups, _Silence(int(found.server[row]), INSTANCE, -1, [row], len(unknown), set(unknown)))
    lossy = case.vantage.lossy
    lone = [item for item in groups.values() if lossy and item.error < 0 and item.requests == 1]
    told = sorted(
        (item for item in groups.values() if item not in lone),
        key=lambda item: (_ORDER.index(item.cause), -len(item.rows), item.server),
    )
    findings = [_finding(case, found, item, window_ns, sentry) for item in told]
    if sentry:
        findings += _broadcasts(case, found, window_ns)
    yield from sorted(findings, key=lambda item: ("error", "warning", "info").index(item.severity))
    if findings:
        return
    if unseen.any() and one_sided:
        yield Skipped("requests to 1434/udp without an answer, but the capture shows one direction only")
    elif unseen.any():
        yield Skipped("requests to 1434/udp without an answer, but the capture shows no packet to these clients at all")
    elif late.any():
        yield Skipped(
            f"requests to 1434/udp without an answer, asked less than {window_ns / SECOND:g} s before the end"
        )
    elif lone:
        yield Skipped("one request to 1434/udp without an answer, but the capture lost packets")


def _grouped(case: Case, found: Discovery, rows: list[int]) -> dict[tuple[int, str, str], _Silence]:
    answered = found.told > 0
    servers = set(found.server[answered].tolist())
    pairs = set(zip(found.client[answered].tolist(), found.server[answered].tolist(), strict=True))
    rejections = case.attempts.rejections
    errors = rejections.error_of_flow[found.rows]
    groups: dict[tuple[int, str, str], _Silence] = {}
    named: dict[int, set[str]] = {}
    for number, row in enumerate(rows):
        client, server, error = int(found.client[row]), int(found.server[row]), int(errors[row])
        again = error < 0 and (client, server) in pairs
        names = set(found.instances([row])) if again or number < NAMED_REQUESTS else set()
        if error >= 0:
            cause = _rejected(case, error, server)
        elif again:
            known = named.get(server)
            if known is None:
                known = named[server] = found.named(case.addresses.text(server))
            cause = INSTANCE if names and not known & {name.upper() for name in names} else SOMETIMES
        else:
            cause = OTHERS if server in servers else SILENT
        item = _Silence(server, cause, error, [row], int(found.asked[row]), names)
        _add(groups, item, rejections.errors[error].sender if error >= 0 else "")
    return groups


def _add(groups: dict[tuple[int, str, str], _Silence], item: _Silence, sender: str = "") -> None:
    known = groups.setdefault((item.server, item.cause, sender), item)
    if known is not item:
        known.rows += item.rows
        known.requests += item.requests
        known.names |= item.names


def _rejected(case: Case, error: int, server: int) -> str:
    said = case.attempts.rejections.errors[error]
    kind = kind_of(said)
    if kind == NO_PORT:
        return CLOSED if case.addresses.find(said.sender) == server else REFUSED
    return FILTERED if kind == PROHIBITED else UNREACHABLE


def _unknown(case: Case, found: Discovery, row: int, window_ns: int) -> list[str]:
    """Instances that one exchange asked for without an answer, and that the server never named; one per request."""
    known = found.named(case.addresses.text(int(found.server[row])))
    end_ns = case.start_ns + case.duration_ns
    replies = [proof.ts_ns for proof in found.replies(row)]
    return [
        name_of(proof.detail)
        for proof in found.requests(row)
        if proof.detail
        and proof.detail.upper() not in known
        and end_ns - proof.ts_ns >= window_ns
        and not any(0 <= ts - proof.ts_ns <= window_ns for ts in replies)
    ]


def _finding(case: Case, found: Discovery, item: _Silence, window_ns: int, sentry: bool) -> Finding:
    text, flows = case.addresses.text, case.flows
    server = text(item.server)
    rows = np.array(item.rows)
    numbers = list(dict.fromkeys(found.client[rows].tolist()))
    clients: list[str] = case.addresses.texts(np.array(numbers)).tolist()
    ids: list[int] = np.sort(found.rows[rows]).tolist()  # flows are in order of time
    names = sorted(item.names)
    who = case.place(clients[0]) if len(clients) == 1 else counted(len(clients), "client")
    verb = "gets" if len(clients) == 1 else "get"
    wanted = f" for {_instances(names)}" if names else ""
    said = [
        f"{listed(clients)} asked {case.place(server)} on 1434/udp{wanted}: {counted(item.requests, 'request')} "
        f"without an answer, the first at {case.at(int(flows.first_ns[ids[0]]))}.",
        _cause(case, found, item, window_ns),
    ]
    severity = "error" if sentry else "warning"
    if item.cause == SOMETIMES:
        severity = "warning" if sentry else "info"
    works = [client for client in clients[:LOOKED_AT] if _works(case, found, client, server)]
    if works:
        said.append(
            f"{listed(works)} nevertheless has a SQL connection to this server, so the port is known otherwise."
        )
    twins = [
        client
        for client, number in zip(clients[:LOOKED_AT], numbers[:LOOKED_AT], strict=True)
        if _answered_beside(case, found, number, rows, window_ns)
    ]
    if twins:
        said.append(
            f"At the same time another address answered {listed(twins)} for the same instance: a name with several "
            "addresses is asked at all of them."
        )
    if severity == "error" and set(clients) <= {*works, *twins}:
        severity = "warning"
    if not sentry:
        said.append(
            "Any client of a SQL Server looks for it like this. A DS ControlPoint that finds no database shows nothing "
            "else of Digital Sentry."
        )
    return Finding(
        title=f"{who} {verb} no answer from SQL Browser {server}{_because(item.cause)}",
        summary=" ".join(said),
        flow_ids=ids,
        first_record=case.first_record(ids),
        selection=(
            filters.of_flows(case, ids)
            if len(ids) <= filters.FLOWS_IN_A_FILTER
            else filters.of_endpoint(case, server, PORT, UDP)
        ),
        severity=severity,
        remedy=_remedy(item.cause, server, sentry),
    )


def _because(cause: str) -> str:
    return {
        CLOSED: ": nothing listens there",
        REFUSED: ": refused on the way",
        FILTERED: ": filtered on the way",
        UNREACHABLE: ": unreachable",
        INSTANCE: " for this instance",
        SOMETIMES: " at times",
        OTHERS: ", others do",
    }.get(cause, "")


def _cause(case: Case, found: Discovery, item: _Silence, window_ns: int) -> str:
    if item.error >= 0:
        error = case.attempts.rejections.errors[item.error]
        where = f"{words_of(error)} from {case.place(error.sender)}, record {error.record}"
        return {
            CLOSED: f"The server itself answers {where}: SQL Server Browser is not running there, or its firewall "
            "rejects the request.",
            REFUSED: f"An ICMP error came back: {where}, which is not the server: a device on the way refuses it, or "
            "translates the address.",
            FILTERED: f"An ICMP error came back: {where}: this device filters the request.",
        }.get(item.cause, f"An ICMP error came back: {where}.")
    seconds = f"{window_ns / SECOND:g} s"
    server = case.addresses.text(item.server)
    if item.cause in (INSTANCE, SOMETIMES):
        known = sorted(found.instances_at.get(server, {}))
        if item.cause == INSTANCE:
            return (
                f"The same server answers the same client about {_instances(known) if known else 'others'}, so "
                "1434/udp is open: a browser ignores a question for an instance that it does not have."
            )
        return "The same server answered the same client at other times, so requests or answers got lost."
    if item.cause == OTHERS:
        rows = np.flatnonzero((found.server == item.server) & (found.told > 0))
        others: list[str] = case.addresses.texts(distinct(found.client[rows])).tolist()
        return (
            f"It answered {listed(others)}, so the browser runs: 1434/udp is filtered between it and these clients, or "
            "they ask for an instance that it does not have."
        )
    up = case.sends(item.server)
    return (
        f"Nothing came back within {seconds}, no ICMP error either: 1434/udp is filtered without a word, SQL Server "
        f"Browser does not run (Windows' firewall hides that), {'' if up else 'the server is down, '}or the instance "
        f"is unknown to it (a browser ignores that).{' The server is up: other packets of it are here.' if up else ''}"
    )


def _instances(names: list[str]) -> str:
    return f"instance {names[0]}" if len(names) == 1 else f"instances {listed(names)}"


def _remedy(cause: str, server: str, sentry: bool) -> str:
    remedy = _REMEDY.get(cause, _REMEDY_SILENT)
    if sentry:
        return remedy
    return f"{remedy} If it is a Digital Sentry site, say so: --host {server}=digital_sentry.sql_discovery."


def _works(case: Case, found: Discovery, client: str, server: str) -> bool:
    return bool(np.isin(case.attempts.outcome[found.sql_flows(client, server)], WORKED).any())


def _answered_beside(case: Case, found: Discovery, client: int, rows: Array, window_ns: int) -> bool:
    """Whether another server answered a client's question for the same instance at the same time."""
    own = rows[found.client[rows] == client][:LOOKED_AT]
    near = (found.client == client) & (found.server != found.server[own[0]])
    others = np.flatnonzero(near & (found.told > 0) & (found.asked > 0))[:LOOKED_AT]
    names = set(found.instances(own.tolist()))
    first_ns = case.flows.first_ns[found.rows]
    return any(
        names & set(found.instances([other])) and np.abs(first_ns[own] - first_ns[other]).min() <= window_ns
        for other in others.tolist()
    )


def _broadcasts(case: Case, found: Discovery, window_ns: int) -> list[Finding]:
    """Clients of Digital Sentry that asked everybody, and nobody answered."""
    first_ns = case.flows.first_ns[found.rows]
    asked = found.broadcast & found.sentry & (found.asked > 0)
    answered = distinct(found.client[(found.told > 0)])
    asked &= ~np.isin(found.client, answered) & case.attempts.return_seen[found.rows]
    if case.vantage.both_directions is False:
        return []
    asked &= case.start_ns + case.duration_ns - first_ns >= window_ns
    findings = []
    for number in distinct(found.client[asked]).tolist():
        rows = np.flatnonzero(asked & (found.client == number)).tolist()
        ids = [int(found.rows[row]) for row in rows]
        client = case.place(case.addresses.text(number))
        findings.append(
            Finding(
                title=f"No SQL Server answers the broadcast of {client}",
                summary=(
                    f"{counted(int(found.asked[rows].sum()), 'request')} to everybody on 1434/udp, the first at "
                    f"{case.at(int(first_ns[rows].min()))}, and no answer. A broadcast does not cross routers: it "
                    "finds servers of its own subnet only."
                ),
                flow_ids=ids,
                first_record=case.first_record(ids),
                selection=filters.of_flows(case, ids),
                severity="info",
                remedy="Set the client up with the address of the SQL Server instead of searching for it.",
            )
        )
    return findings
