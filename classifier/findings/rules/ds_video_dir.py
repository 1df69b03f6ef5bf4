"""DS-VIDEO-DIR: 18772/tcp can be opened from one side only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import failures, filters, needs
from classifier.findings.attempts import REFUSED, Pair
from classifier.findings.case import TCP, Case
from classifier.findings.model import Finding, Rule
from classifier.units import counted

LOOKED_AT = 1000


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    tried = case.attempts
    servers = set(case.hosts_of("digital_sentry.video"))
    numbers = tried.find(component="digital_sentry.video", proto=TCP)
    found = []
    for number in numbers[tried.in_vain[numbers]][:LOOKED_AT].tolist():
        pair = tried.pair(number)
        if pair.worked:
            continue
        back = next(
            (item for item in tried.pairs(client=pair.server, server=pair.client, port=pair.port) if item.worked), None
        )
        by_server = pair.client in servers and pair.server not in servers
        if back is not None or by_server:
            found.append(_finding(case, pair, back, by_server))
    yield from sorted(found, key=lambda item: item.severity != "warning")


def _finding(case: Case, pair: Pair, back: Pair | None, by_server: bool) -> Finding:
    item = failures.trouble(case, np.array([pair.number]))
    flows = failures.flows(case, item)
    way = (
        f"The other way it works: {counted(back.worked, 'connection')} from {back.client} to {back.server}."
        if back is not None
        else f"No connection the other way is here, from {pair.server} to {pair.client}."
    )
    who = "server to client" if by_server else "one way"
    refused = pair.state == REFUSED
    note = " A RST says that nothing listens there: ControlPoint may just not run." if refused and by_server else ""
    return Finding(
        title=f"{pair.port}/tcp {who}: {pair.client} does not reach {pair.server}",
        summary=f"{failures.summary(case, item)} {way}{note} The port is wanted in both directions.",
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows),
        severity="info" if note else "warning",
    )


RULE = Rule(
    code="DS-VIDEO-DIR",
    severity="warning",
    title="Digital Sentry's video port is open in one direction only",
    remedy=(
        "Allow 18772/tcp in both directions between server and client, on the firewalls of both hosts and on those "
        "between them; with NAT forward it on the client's side too."
    ),
    source=(
        "Pelco support article on Digital Sentry's ports: \"18772 TCP - Utilized to deliver DigitalSentry video to a "
        'computer client", "this port is both incoming and outgoing"'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
)
