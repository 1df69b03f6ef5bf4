"""DGF-CONN-FAIL: a Digifort service that its clients do not reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import attempts as at
from classifier.findings import failures, needs
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.ports import NOT_TRIED, PortRow, matrix


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    rows = [row for row in case.ports if row.product == "digifort"]
    because = failures.not_judged(case, np.array([row.pair.number for row in rows if row.pair is not None], "i8"))
    if because:
        yield Skipped(because)
    failed = {(row.server, row.port) for row in rows if row.failed}
    tried, troubles = case.attempts, []
    for server, port in failed:
        pairs = tried.find(server=server, port=port, proto=at.TCP)  # also those beyond the rows that are kept
        pairs = pairs[tried.counts[pairs][:, list(at.FAILED)].any(axis=1) & ~tried.scanned[pairs]]
        if not len(pairs):
            continue
        item = failures.trouble(case, pairs)
        troubles.append((not item.never, -len(item.failing), server, port, item))
    for *_, item in sorted(troubles, key=lambda each: each[:4]):
        flows = failures.flows(case, item)
        yield Finding(
            title=failures.title(case, item),
            summary=f"{failures.summary(case, item)}{_beside(case, rows, item)}",
            remedy=failures.cause_and_remedy(case, item),
            severity="error" if item.never else "warning",
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=failures.selection(case, item),
        )


def _beside(case: Case, rows: list[PortRow], item: failures.Trouble) -> str:
    """The other ports between the same two hosts."""
    client = item.first.client
    others = [
        row
        for row in rows
        if (row.client, row.server) == (client, item.server) and row.port != item.port and row.state != NOT_TRIED
    ]
    return f" Between {client} and {item.server} also: {matrix(others, case)}." if others else ""


RULE = Rule(
    code="DGF-CONN-FAIL",
    severity="error",
    title="A Digifort service that its clients do not reach",
    remedy="Check the Digifort service, then every firewall between the client and the server.",
    source=(
        'Digifort Ports and Addresses, 3.1: "all client access for administration and surveillance comes through this '
        'port", 3.2, 3.8, 3.9; states of connections by RFC 9293, when silence counts is ours'
    ),
    check=check,
    needs=(needs.DIGIFORT,),
)
