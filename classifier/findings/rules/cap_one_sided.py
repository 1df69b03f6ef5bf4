"""CAP-ONE-SIDED: of TCP connections only one direction was captured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters, needs
from classifier.findings.case import Array, Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.vantage import one_sided_flows
from classifier.units import counted, percent

HOSTS = 3


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    view = case.vantage
    share = view.one_sided_share
    if not share or view.one_sided < setting("connections") or share < setting("share"):
        return
    flows = np.flatnonzero(one_sided_flows(case))
    flows = flows[np.argsort(-case.flows.packets[flows], kind="stable")]
    yield Finding(
        title=f"Only one direction of {percent(share)} of the TCP connections was captured",
        summary=(
            f"{counted(view.one_sided, 'connection')} of {view.judged:,}: the packets acknowledge what the other side "
            f"sent, which is not here. Nothing is here that was sent by {_silent(case, flows)}. Bandwidth is too low "
            "by what is missing; connection states, losses and answer times of these connections cannot be told."
        ),
        flow_ids=flows.tolist(),
        first_record=case.first_record(flows),
        selection=filters.of_flows(case, flows.tolist()),
    )


def _silent(case: Case, flows: Array) -> str:
    """The hosts that sent nothing, those of most connections first."""
    addresses = case.addresses
    silent = np.where(case.flows.orig_packets[flows] == 0, addresses.orig[flows], addresses.resp[flows])
    numbers, often = np.unique(silent, return_counts=True)
    order = np.argsort(-often, kind="stable")
    names = addresses.texts(numbers[order[:HOSTS]]).tolist()
    return listed(names + [""] * (len(numbers) - len(names)), most=HOSTS)


RULE = Rule(
    code="CAP-ONE-SIDED",
    severity="warning",
    title="Only one direction of TCP connections was captured",
    remedy="Mirror both directions of the port (ingress and egress, often called 'both'), or capture on one of the "
    "hosts. "
    "Where two paths exist (two switches, link aggregation), mirror both.",
    source="ours; an acknowledgement proves the other direction (RFC 9293, 3.4)",
    check=check,
    needs=(needs.PACKETS,),
    settings=(
        Setting("share", 0.3, "share", "of the connections that must have two directions, from which it is said"),
        Setting("connections", 3, "connections", "of one direction, from which it is said"),
    ),
)
