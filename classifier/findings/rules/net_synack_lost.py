"""NET-SYNACK-LOST: the server answers, and the answer does not reach the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import attempts as at
from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule
from classifier.findings.services import Service, by_service
from classifier.units import counted

FLOOD = 50
"""Clients of one service that ignore its SYN-ACK: forged senders rather than a broken way back (ours)."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for item in by_service(case, at.IGNORED):
        yield _finding(case, item)


def _finding(case: Case, item: Service) -> Finding:
    flows, rows = case.flows, item.flows
    synacks = int(flows.resp_synacks[rows].sum())
    first, last = int(flows.first_ns[rows].min()), int(flows.last_ns[rows].max())
    again = int((flows.orig_syns[rows] > 1).sum())
    who = item.who(case)
    if len(item.clients) >= FLOOD and not again:
        what = "None of the clients asked again: forged sender addresses (a SYN flood) look like this."
    elif again:
        what = (
            f"In {counted(again, 'of them', 'of them')} the client asked again as well, so it did not get the answer: "
            "the way back is broken, or answers take another way than requests."
        )
    else:
        what = "The clients' last step, an ACK, is not here: it got lost before this point, or never was sent."
    return item.finding(
        case,
        rows,
        title=f"{case.place(item.server)} answers {who} on {item.name}, and the connection does not come about",
        summary=(
            f"{counted(len(rows), 'attempt')} from {listed(item.clients)}, {case.at(first)} to {case.at(last)}: "
            f"the server sent its SYN-ACK {synacks:,} times. {what}"
        ),
    )


RULE = Rule(
    code="NET-SYNACK-LOST",
    severity="warning",
    title="A server's answer does not reach the client",
    remedy=(
        "Check the way back from the server to the client: the server's default gateway and routes, a firewall that "
        "saw only one direction, two hosts with the client's address."
    ),
    source="RFC 9293 3.5 and 3.8.1 (the handshake, retransmission); that the way back is broken is ours",
    check=check,
    needs=(needs.PACKETS,),
)
