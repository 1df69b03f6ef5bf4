"""ICMP errors of one kind, added up by who sent them and whose packets they are about.

In: a Case. Out: `Reported`. Next: NET-PMTU, NET-LOOP.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.arrays import distinct
from classifier.findings.filters import later
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding
from classifier.findings.rejections import kind_of, words_of
from classifier.units import counted

if TYPE_CHECKING:
    from classifier.evidence.collect import IcmpError
    from classifier.findings.case import Case

TRACEROUTE = (33_434, 33_534)
"""UDP ports that traceroute asks for because nobody listens there (its documentation)."""


@dataclass(frozen=True, slots=True)
class Reported:
    """`sender` says of packets from `source` to `target`: `words`. `probes`: they look like traceroute's.

    `important`: a server of a product is one of the two. `mtu`: the smallest said, 0 without.
    """

    sender: str
    receiver: str
    source: str
    target: str
    words: str
    packets: int
    first_ns: int
    last_ns: int
    mtu: int
    record: int
    flows: list[int]
    probes: bool
    important: bool

    @later
    def selection(self, case: Case) -> tuple[str, int | None]:
        """A display filter for the ICMP packets from the sender to the receiver, whatever they say."""
        ip, name, proto = ("ipv6", "icmpv6", 58) if ":" in self.sender else ("ip", "icmp", 1)
        a, b, flows = case.addresses.find(self.sender), case.addresses.find(self.receiver), case.flows
        icmp = flows.proto == proto
        sent = flows.orig_packets[icmp & (case.addresses.orig == a) & (case.addresses.resp == b)].sum()
        sent += flows.resp_packets[icmp & (case.addresses.orig == b) & (case.addresses.resp == a)].sum()
        return f"{name} && {ip}.src == {self.sender} && {ip}.dst == {self.receiver}", int(sent)

    def finding(self, case: Case, title: str, consequence: str) -> Finding:
        """What a rule found out about them; `consequence` ends the summary."""
        return Finding(
            title=title,
            summary=(
                f"{self.sender} said so {counted(self.packets, 'time')} ({self.words}), {case.at(self.first_ns)} to "
                f"{case.at(self.last_ns)}{consequence}"
            ),
            severity="warning" if self.important else "info",
            flow_ids=self.flows,
            first_record=self.record,
            selection=self.selection(case),
        )


def reported(case: Case, kind: str) -> list[Reported]:
    """Errors of a kind, those about a product's server first, then the most frequent."""
    rejections = case.attempts.rejections
    grouped: dict[tuple[str, str, str, str], list[int]] = {}
    for k, error in enumerate(rejections.errors):
        if kind_of(error) == kind:
            key = (error.sender, error.receiver, error.quoted.src, error.quoted.dst)
            grouped.setdefault(key, []).append(k)
    servers = set(case.product_hosts)
    found = []
    for (sender, receiver, source, target), numbers in grouped.items():
        errors = [rejections.errors[k] for k in numbers]
        first = min(errors, key=lambda item: item.first_ns)
        about = distinct(np.concatenate([rejections.flows_of(k) for k in numbers]))[:FLOWS_OF_A_FINDING]
        found.append(
            Reported(
                sender=sender,
                receiver=receiver,
                source=source,
                target=target,
                words=words_of(first),
                packets=sum(item.packets for item in errors),
                first_ns=first.first_ns,
                last_ns=max(item.last_ns for item in errors),
                mtu=min((item.quoted.mtu for item in errors if item.quoted.mtu), default=0),
                record=first.record,
                flows=about.tolist(),
                probes=all(_probe(item) for item in errors),
                important=bool({source, target} & servers),
            )
        )
    return sorted(found, key=lambda item: (not item.important, -item.packets, item.sender, item.source, item.target))


def _probe(error: IcmpError) -> bool:
    """An echo request, or UDP to traceroute's ports."""
    quoted = error.quoted
    return quoted.proto in (1, 58) or (quoted.proto == 17 and TRACEROUTE[0] <= quoted.dst_port <= TRACEROUTE[1])
