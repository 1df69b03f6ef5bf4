"""NET-ACCEPT-DROP: a server accepts connections and resets them without a word."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import attempts as at
from classifier.findings import needs
from classifier.findings.case import Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.services import Service, by_service
from classifier.units import counted, span


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for item in by_service(case, at.DROPPED):
        if len(item.flows) >= setting("connections"):
            yield _finding(case, item)


def _finding(case: Case, item: Service) -> Finding:
    flows, rows, tried = case.flows, item.flows, case.attempts
    first, last = int(flows.first_ns[rows].min()), int(flows.last_ns[rows].max())
    longest = int((flows.last_ns[rows] - flows.first_ns[rows]).max())
    asked = int((flows.orig_payload[rows] > 0).sum())
    fine = tried.find(server=item.server, port=item.port, proto=item.proto)
    fine = fine[tried.counts[fine][:, [at.ESTABLISHED, at.MIDSTREAM, at.IDLE_CUT]].any(axis=1)]
    works = case.addresses.texts(tried.client[fine]).tolist()
    others = [address for address in works if address not in item.clients]
    same = sorted(set(works) & set(item.clients))
    what = "The client had sent a request" if asked == len(rows) else f"The client had sent data in {asked:,} of them"
    parts = [
        f"{counted(len(rows), 'connection')} from {listed(item.clients)}, {case.at(first)} to {case.at(last)}: "
        f"handshake, then RST from the server's side before it sent any data, at the latest after {span(longest)}."
    ]
    if asked:
        parts.append(f"{what}.")
    if same:
        parts.append(f"Other connections of {listed(same)} to the same port carried on.")
    if others:
        parts.append(f"It works from {listed(others)}.")
    return item.finding(
        case,
        rows,
        title=f"{case.place(item.server)} accepts connections of {item.who(case)} on {item.name} and resets them",
        summary=" ".join(parts),
    )


RULE = Rule(
    code="NET-ACCEPT-DROP",
    severity="warning",
    title="A server accepts connections and resets them",
    remedy=(
        "The port is open, so look at the program behind it: lists of allowed addresses, licences, the most clients it "
        "takes, TLS where plain text is expected; then at a firewall or proxy that accepts in its name."
    ),
    source="RFC 9293 3.5.2 (reset); what it means is ours",
    check=check,
    needs=(needs.PACKETS,),
    settings=(Setting("connections", 1, "connections", "of one service that must have been reset so"),),
)
