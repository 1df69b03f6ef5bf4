"""Digital Sentry's audio: which client gets sound on which port, from which server.

In: a Case. Out: `Listener`s; and services of Digital Sentry's servers that fail. Next: the DS-AUDIO rules,
DS-DIAG-BLOCKED, DS-MOBILE.

Audio ports alone prove nothing (other software uses them), so one end must show Digital Sentry otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.findings import failures

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

COMPONENT = "digital_sentry.audio"


@dataclass(frozen=True, slots=True)
class Listener:
    """One client's audio port. `sent`, `back`: packets to the client and from it. `flows`: flow ids, in order."""

    server: str
    client: str
    port: int
    sent: int
    back: int
    flows: tuple[int, ...]


def port_range(case: Case) -> tuple[int, int]:
    """The lowest and the highest audio port: 18778 and 18799, unless the user says otherwise."""
    signature = case.facts.signatures.get(COMPONENT)
    ranges = signature.ports.ranges if signature is not None else ()
    return (ranges[0][0], ranges[-1][1]) if ranges else (0, 0)


def audio_flows(case: Case) -> tuple[Array, Array]:
    """Flow ids of audio between hosts that show Digital Sentry otherwise too, and of all that looks like audio."""
    rows = np.flatnonzero(case.owned_by(COMPONENT))
    shown = case.discovery.shown_hosts
    tied: Array = rows[shown[case.addresses.orig[rows]] | shown[case.addresses.resp[rows]]]
    return tied, rows


def listeners(case: Case, rows: Array) -> list[Listener]:
    """One per server, client and port, in that order. RTCP is left out: it is not the sound."""
    flows, addresses, labels = case.flows, case.addresses, case.labels
    rows = rows[(flows.evidence[rows] & mark_bit("rtcp")) == 0]
    by_orig = labels.own_side(rows) == 1
    server = np.where(by_orig, addresses.orig[rows], addresses.resp[rows])
    client = np.where(by_orig, addresses.resp[rows], addresses.orig[rows])
    port = np.where(labels.listening_end(rows) == 1, flows.orig_port[rows], flows.resp_port[rows]).astype("i8")
    sent = np.where(by_orig, flows.orig_packets[rows], flows.resp_packets[rows])
    back = np.where(by_orig, flows.resp_packets[rows], flows.orig_packets[rows])
    order = np.lexsort((flows.first_ns[rows], port, client, server))
    keys = np.stack([server, client, port], axis=1)[order]
    if not len(keys):
        return []
    starts = np.flatnonzero(np.concatenate(([True], (keys[1:] != keys[:-1]).any(axis=1))))
    found = []
    for low, high in zip(starts.tolist(), [*starts[1:].tolist(), len(order)], strict=True):
        here = order[low:high]
        ids = rows[here]
        found.append(
            Listener(
                addresses.text(int(server[here[0]])),
                addresses.text(int(client[here[0]])),
                int(port[here[0]]),
                int(sent[here].sum()),
                int(back[here].sum()),
                tuple(ids.tolist()),
            )
        )
    return found


class Activity:
    """In which time bins flows have packets, for the question whether two of them are used at once."""

    def __init__(self, case: Case, flows: list[int]) -> None:
        rows = case.flows.row[flows]
        bins = case.read.bins
        hit = np.flatnonzero(np.isin(bins["flow"], rows))
        self.width_ns = case.read.bin_width_ns
        self._bins: dict[int, set[int]] = {}
        for row, at in zip(bins["flow"][hit].tolist(), bins["bin_ns"][hit].tolist(), strict=True):
            self._bins.setdefault(row, set()).add(at)
        self._row = dict(zip(flows, rows.tolist(), strict=True))

    def together_ns(self, one: Listener, other: Listener) -> int:
        """How long both had packets in the same time bins."""
        ours = set().union(*(self._bins.get(self._row[flow], set()) for flow in one.flows))
        theirs = set().union(*(self._bins.get(self._row[flow], set()) for flow in other.flows))
        return len(ours & theirs) * self.width_ns


def failing_services(case: Case, component: str) -> Iterator[failures.Trouble]:
    """Ports of a component that clients tried in vain, on hosts that show Digital Sentry; one per server, no scans."""
    tried, shown = case.attempts, case.discovery.shown_hosts
    numbers = tried.find(component=component)
    hit = tried.in_vain[numbers] & (shown[tried.server[numbers]] | shown[tried.client[numbers]])
    services: dict[tuple[int, int], list[int]] = {}
    for number in numbers[hit].tolist():
        services.setdefault((int(tried.server[number]), int(tried.port[number])), []).append(number)
    for pairs in services.values():
        yield failures.trouble(case, np.array(pairs))
