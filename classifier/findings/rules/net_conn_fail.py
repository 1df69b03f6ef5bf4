"""NET-CONN-FAIL: a service that hosts try to reach and do not."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import attempts as at
from classifier.findings import failures, filters, needs
from classifier.findings.case import Array, Case, listed
from classifier.findings.errors import TRACEROUTE
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Rule, Skipped
from classifier.findings.ports import blocked_pairs
from classifier.findings.services import service_order, touches_product
from classifier.findings.ssrp import PORT as SSRP
from classifier.units import counted

SERVICES = 5
"""Services that one host never reaches, from which on they are one finding (ours)."""
NAMED = 6
LISTED = 19
"""Services named one by one; the rest is one finding."""


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    tried = case.attempts
    failed = tried.in_vain & ~blocked_pairs(case)
    failed &= ~(tried.counts[:, at.IGNORED] == tried.counts[:, list(at.FAILED)].sum(axis=1))  # NET-SYNACK-LOST
    failed &= ~((tried.proto == at.UDP) & (tried.port >= TRACEROUTE[0]) & (tried.port <= TRACEROUTE[1]))
    failed &= ~((tried.proto == at.UDP) & (tried.port == SSRP))  # NET-SSRP-SILENT, DS-SSRP-SILENT
    numbers = np.flatnonzero(failed)
    because = failures.not_judged(case, np.flatnonzero(~tried.scanned))
    if because:
        yield Skipped(because)
    if not len(numbers):
        return
    numbers = yield from _of_clients(case, numbers)
    if not len(numbers):
        return
    weight = tried.counts[numbers][:, list(at.FAILED)].sum(axis=1)
    order, group, important = service_order(case, numbers, weight)
    for k in order[:LISTED].tolist():
        yield _finding(case, numbers[group == k], bool(important[k]))
    rest = order[LISTED:]
    if len(rest):
        pairs = numbers[np.isin(group, rest)]
        yield _rest(case, pairs, f"{counted(len(rest), 'further service')} that hosts cannot reach")


def _rest(case: Case, pairs: Array, title: str) -> Finding:
    """What is not listed one by one."""
    flows = case.attempts.flows_of(pairs[:1000], *at.FAILED)
    return Finding(
        title=title,
        summary=f"{counted(len(pairs), 'pair')} of client and service, with fewer attempts than those listed.",
        flow_ids=flows[:FLOWS_OF_A_FINDING].tolist(),
        first_record=case.first_record(flows.tolist()),
        severity="warning" if touches_product(case, pairs).any() else "info",
    )


def _of_clients(case: Case, numbers: Array) -> Generator[Finding, None, Array]:
    """One finding per host that fails at many services; returns the pairs that are left."""
    tried = case.attempts
    never = tried.counts[numbers][:, list(at.WORKED)].sum(axis=1) == 0
    clients, group = np.unique(tried.client[numbers], return_inverse=True)
    size = np.bincount(group, never, len(clients))
    order = np.argsort(-size, kind="stable")
    order = order[size[order] >= SERVICES]
    taken = never & (size[group] >= SERVICES)
    for k in order[:LISTED].tolist():
        yield _of_client(case, case.addresses.text(int(clients[k])), numbers[taken & (group == k)])
    if len(order) > LISTED:
        rest = numbers[taken & np.isin(group, order[LISTED:])]
        yield _rest(case, rest, f"{counted(len(order) - LISTED, 'further host')} that cannot reach many services")
    left: Array = numbers[~taken]
    return left


def _of_client(case: Case, client: str, numbers: Array) -> Finding:
    tried = case.attempts
    important = touches_product(case, numbers)
    weight = tried.counts[numbers][:, list(at.FAILED)].sum(axis=1)
    numbers = numbers[np.lexsort((-weight, ~important))]
    pairs = [tried.pair(int(k)) for k in numbers[:NAMED]]
    named = ", ".join(f"{pair.server} {tried.service(pair)}" for pair in pairs)
    more = f" and {len(numbers) - NAMED:,} more" if len(numbers) > NAMED else ""
    sums = tried.counts[numbers].sum(axis=0)
    how = ", ".join(f"{int(sums[k]):,} {failures.WORDS[k]}" for k in at.FAILED if sums[k])
    flows = tried.flows_of(numbers[:1000], *at.FAILED)
    errors = distinct(tried.rejections.error_of_flow[flows])
    senders = sorted({tried.rejections.errors[k].sender for k in errors.tolist() if k >= 0})
    by = f" The rejections come from {listed(senders)}." if senders else ""
    first, last = int(tried.first_ns[numbers].min()), int(tried.last_ns[numbers].max())
    return Finding(
        title=f"{case.place(client)} cannot reach {counted(len(numbers), 'service')}",
        summary=(
            f"{named}{more}. Attempts from {case.at(first)} to {case.at(last)}: {how}.{by} So many at once point to "
            "the host's own network, its route or a firewall, or to devices that are gone."
        ),
        remedy="Check the network, the default gateway and the firewall of that host, then whether the targets are on.",
        severity="warning" if important.any() else "info",
        flow_ids=flows[:FLOWS_OF_A_FINDING].tolist(),
        first_record=case.first_record(flows.tolist()),
        selection=filters.of_flows(case, flows.tolist()),
    )


def _finding(case: Case, numbers: Array, important: bool) -> Finding:
    item = failures.trouble(case, numbers)
    flows = failures.flows(case, item)
    return Finding(
        title=failures.title(case, item),
        summary=failures.summary(case, item) + _only_by_port(case, item),
        remedy=failures.cause_and_remedy(case, item),
        severity="warning" if important else "info",
        flow_ids=flows,
        first_record=case.first_record(flows),
        selection=failures.selection(case, item),
    )


def _only_by_port(case: Case, item: failures.Trouble) -> str:
    """What a product's name in the title rests on, when that is the port alone."""
    number = item.first.component
    if not 0 <= number < len(case.facts.signatures.signatures) or item.server in case.product_hosts:
        return ""
    name = case.facts.signatures.name_of(case.labels.components[number])
    return f" That it is {name} is what the port suggests; nothing else in this capture shows it."


RULE = Rule(
    code="NET-CONN-FAIL",
    severity="warning",
    title="Connections that do not come about",
    remedy="Check the service, then every firewall between the client and the server.",
    source="RFC 9293 3.5.2 (RST), RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 (ICMP unreachable); when silence counts is ours",
    check=check,
    needs=(needs.PACKETS,),
)
