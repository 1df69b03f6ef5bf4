"""Services that could not be reached, said in words: who tried, how it failed, from where it works.

In: a Case's attempts. Out: `Trouble`s: one service and the hosts that do not reach it. Next: NET-CONN-FAIL,
DGF-CONN-FAIL, DS-PORTS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from classifier.arrays import distinct
from classifier.findings import attempts as at
from classifier.findings import filters
from classifier.findings.attempts import Pair
from classifier.findings.case import NAMED, joined, listed
from classifier.findings.model import FLOWS_OF_A_FINDING, Selection
from classifier.findings.rejections import HOST, PORT, PROHIBITED, kind_of, words_of
from classifier.flows.table import TCP_STATES
from classifier.units import counted

if TYPE_CHECKING:
    from classifier.findings.case import Array, Case

WORDS = {
    at.REFUSED: "refused",
    at.REJECTED: "rejected",
    at.UNANSWERED: "no answer",
    at.IGNORED: "the answer does not arrive",
    at.DROPPED: "accepted, then reset",
}
"""How an attempt failed, in a title."""
_ATTEMPT = TCP_STATES.index("attempt")


@dataclass(frozen=True, slots=True)
class Trouble:
    """A service; numbers of the pairs that failed (`failing`, most attempts first) and that always worked.

    `first`: the first of those that failed. `sums`: flows by outcome of those that failed.
    """

    server: str
    port: int
    proto: int
    failing: Array
    working: Array
    first: Pair
    sums: tuple[int, ...]

    @property
    def never(self) -> bool:
        """Whether no attempt of the failing hosts got through."""
        return not any(self.sums[k] for k in at.WORKED)

    @property
    def outcomes(self) -> list[int]:
        """How it failed, the most frequent first."""
        return sorted((k for k in at.FAILED if self.sums[k]), key=lambda k: -self.sums[k])


def trouble(case: Case, numbers: Array) -> Trouble:
    """One service's trouble; `numbers`: of its pairs that failed (all of one server, port and protocol)."""
    tried = case.attempts
    weight = tried.counts[numbers][:, list(at.FAILED)].sum(axis=1)
    numbers = numbers[np.argsort(-weight, kind="stable")]
    first = tried.pair(int(numbers[0]))
    others = tried.find(server=first.server, port=first.port, proto=first.proto)
    fine = others[tried.counts[others][:, list(at.WORKED)].any(axis=1) & ~np.isin(others, numbers)]
    sums = tuple(tried.counts[numbers].sum(axis=0).tolist())
    return Trouble(first.server, first.port, first.proto, numbers, fine, first, sums)


def clients(case: Case, pairs: Array, noun: str = "") -> str:
    """The clients of some pairs, the first ones by name."""
    return _named(case, case.attempts.client[pairs], noun)


def _named(case: Case, numbers: Array, noun: str = "") -> str:
    """Some addresses, of which only the first ones are written out."""
    few = case.addresses.texts(numbers[: NAMED + 1]).tolist()
    return listed(few + [""] * (len(numbers) - len(few)), noun if len(numbers) > 1 else "")


def not_judged(case: Case, pairs: Array) -> str:
    """Why attempts of some pairs without an answer say nothing; empty when there are none."""
    tried = case.attempts
    rows = tried.flows_of(pairs[tried.counts[pairs, at.HALF_SEEN] > 0], at.HALF_SEEN)
    rows = rows[case.flows.resp_packets[rows] == 0]
    rows = rows[(case.flows.proto[rows] != at.TCP) | (case.flows.tcp_state[rows] == _ATTEMPT)]
    if not len(rows):
        return ""
    asked = _named(case, distinct(case.addresses.orig[rows]))
    return (
        f"{counted(len(rows), 'attempt')} of {asked} without an answer cannot be judged: this capture does not show "
        "what is sent back"
    )


def title(case: Case, item: Trouble) -> str:
    """`10.1.0.40 cannot reach 10.1.0.5, 8601/tcp (Digifort HTTP API): refused`."""
    many = len(item.failing)
    who = case.place(item.first.client) if many == 1 else f"{many:,} hosts"
    verb = "cannot" if item.never else "cannot always"
    service = case.attempts.service(item.first)
    how = " or ".join(WORDS[k] for k in item.outcomes)
    return f"{who} {verb} reach {case.place(item.server)}, {service}: {how}"


def summary(case: Case, item: Trouble) -> str:
    """Attempts, times, what the failure means, and from where the service works."""
    parts = [_by_outcome(case, item, outcome) for outcome in item.outcomes]
    again = sum(item.sums[k] for k in at.WORKED)
    if again:
        noun = "connection" if item.proto == at.TCP else "request"
        parts.append(f"{counted(again, noun)} of the same {'host' if len(item.failing) == 1 else 'hosts'} got through.")
    if len(item.working):
        parts.append(f"It works from {clients(case, item.working, 'host')}.")
    elif not again:
        parts.append("No other host reached it in this capture.")
    return " ".join(parts)


def flows(case: Case, item: Trouble) -> list[int]:
    """Failed attempts, the first ones."""
    found: list[int] = case.attempts.flows_of(item.failing, *at.FAILED)[:FLOWS_OF_A_FINDING].tolist()
    return found


def selection(case: Case, item: Trouble) -> Selection:
    """A display filter: the pair of hosts and the port, or the whole service when several hosts fail."""
    if len(item.failing) == 1:
        return filters.of_pair(case, item.first.client, item.server, item.port, item.proto)
    return filters.of_endpoint(case, item.server, item.port, item.proto)


def cause_and_remedy(case: Case, item: Trouble) -> str:
    """What to do about the most frequent way of failing."""
    where = joined(item.server, item.port)
    outcome = item.outcomes[0]
    if outcome == at.REFUSED:
        return f"Check that the service runs on {item.server} and listens on port {item.port}, then host firewalls."
    if outcome == at.IGNORED:
        return "Check the way back from the server to the client: routes, asymmetric firewalls, duplicate addresses."
    if outcome == at.REJECTED:
        senders = _senders(case, item)
        if senders and senders != [item.server]:
            return f"Ask whoever runs {listed(senders)}: that device does not let the connection to {where} through."
        return f"Check that the service runs on {item.server} and listens on port {item.port}, then its firewall."
    return (
        f"Check that {item.server} is on, then every firewall between it and the client: port {item.port} may be shut."
    )


def _by_outcome(case: Case, item: Trouble, outcome: int) -> str:
    pairs = item.failing[case.attempts.counts[item.failing, outcome] > 0]
    rows = case.attempts.flows_of(pairs, outcome)
    table = case.flows
    first, last = int(table.first_ns[rows].min()), int(table.last_ns[rows].max())
    noun = "attempt" if item.proto == at.TCP else "UDP flow"
    who = clients(case, pairs, "host")
    head = f"{counted(len(rows), noun)} from {who}, {case.at(first)}"
    head += f" to {case.at(last)}" if last - first >= 1_000_000 else ""
    if outcome == at.REFUSED:
        return f"{head}: answered by RST, so nothing listens there or a firewall rejects.{_odd_reset(case, item, rows)}"
    if outcome == at.REJECTED:
        return f"{head}: {_rejection(case, item, rows)}"
    if outcome == at.IGNORED:
        synacks = int(table.resp_synacks[rows].sum() + table.orig_synacks[rows].sum())
        return f"{head}: the server answered {synacks:,} times (SYN-ACK) and the client asked again: it did not get it."
    asked = int(table.orig_syns[rows].sum()) if item.proto == at.TCP else int(table.orig_packets[rows].sum())
    what = counted(asked, "SYN") if item.proto == at.TCP else counted(asked, "request")
    up = (
        "which sends other packets here, so it is on"
        if case.sends(case.addresses.find(item.server))
        else "of which nothing is here"
    )
    return f"{head}: no answer to {what} from {item.server}, {up}."


def _senders(case: Case, item: Trouble) -> list[str]:
    rows = case.attempts.flows_of(item.failing, at.REJECTED)
    rejections = case.attempts.rejections
    return sorted({rejections.errors[k].sender for k in distinct(rejections.error_of_flow[rows]).tolist() if k >= 0})


def _rejection(case: Case, item: Trouble, rows: Array) -> str:
    """`10.0.0.1, which is not the target, answers communication administratively prohibited (ICMP ...)`."""
    rejections = case.attempts.rejections
    said: dict[tuple[str, str], str] = {}
    for k in distinct(rejections.error_of_flow[rows]).tolist():
        error = rejections.errors[k]
        said.setdefault((error.sender, words_of(error)), kind_of(error))
    parts = []
    for (sender, words), kind in list(said.items())[:3]:
        by = f"{sender}, the target itself," if sender == item.server else f"{sender}, a router or firewall,"
        means = {
            PORT: "the host is up and nothing listens on the port",
            HOST: "it knows no way there, or the host does not answer on its network",
            PROHIBITED: "a firewall rule forbids it",
        }[kind]
        parts.append(f"{by} says {words}: {means}")
    return "; ".join(parts) + "."


def _odd_reset(case: Case, item: Trouble, rows: Array) -> str:
    """A hint that something on the way sent the RST: it came over another way than the host's other packets."""
    number, table = case.addresses.find(item.server), case.flows
    other = np.ones(len(table), bool)
    other[rows] = False
    other &= case.attempts.outcome != at.REFUSED
    as_resp = np.flatnonzero(other & (case.addresses.resp == number) & (table.resp_packets > 0))
    as_orig = np.flatnonzero(other & (case.addresses.orig == number) & (table.orig_packets > 0))
    usual = distinct(np.concatenate([table.resp_ttl[as_resp], table.orig_ttl[as_orig]])).astype("i8")
    usual = usual[usual > 1]  # 1: meant for neighbours only (BGP)
    odd = distinct(table.resp_ttl[rows]).astype("i8")
    if not len(usual) or not len(odd) or np.abs(odd[:, None] - usual[None, :]).min() <= 1:
        return ""
    return (
        f" The RST came with TTL {odd[0]}, other packets of {item.server} with TTL {usual[-1]}: a device on the way "
        "may have answered in its name (a hint, no proof)."
    )
