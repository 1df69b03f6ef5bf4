"""SQL discovery: who asked which SQL Server Browser, and what it answered.

In: a Case. Out: `Discovery` (`case.discovery`). Next: `findings.silence`, the rules about Digital Sentry's database.

A request and its reply belong together by the client's address and port: the reply may come from another address than
the one that was asked (a cluster, NAT), and a broadcast has many. Sources: [MC-SQLR] 2.2 and 3; what a reply says is
read in `evidence.ssrp`.

Any SQL Server is found this way, so each exchange says whether it is Digital Sentry's (`sentry`): attribution says so,
or one of its ends has to do with Digital Sentry otherwise, an attempt to reach its ports included. A ControlPoint that
cannot find its database may show nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from classifier.arrays import distinct
from classifier.evidence.marks import mark_bit
from classifier.findings.case import TCP, UDP, once
from classifier.findings.model import Need
from classifier.flows.table import FAILED_TCP_STATES, TCP_STATES

if TYPE_CHECKING:
    from classifier.evidence.collect import Announced
    from classifier.evidence.proofs import Proof
    from classifier.findings.case import Array, Case

PORT = 1434
PRODUCT = "digital_sentry"
SECOND = 1_000_000_000
PROBED_PORTS = 20
"""Different ports that one client tries in vain at one server: from here on it scans (ours)."""
NAME = 64
"""Characters of a name from a payload that a sentence repeats."""
TALKS = ("video", "diagnostics", "sql", "sql_discovery", "mobile")
"""Components whose hosts have to do with Digital Sentry for sure; its audio ports alone do not say so."""


@dataclass(frozen=True, slots=True)
class Told:
    """An instance that a server told one client: where it listens. `port` 0: no TCP. `cut`: or it was cut off."""

    asker: str
    server: str
    instance: str
    port: int
    cut: bool
    first: Announced
    replies: int


class Discovery:
    """The exchanges: columns of k rows, one per flow. `client`, `server`: address numbers."""

    def __init__(self, case: Case) -> None:
        self.case = case
        flows, addresses = case.flows, case.addresses
        said = mark_bit("ssrp_request") | mark_bit("ssrp_reply")
        here = (flows.proto == UDP) & ~flows.unresolved & ((flows.orig_port == PORT) | (flows.resp_port == PORT))
        ours = (flows.evidence & said) != 0
        by_port = case.owned_by(f"{PRODUCT}.sql_discovery", "other.ssrp")  # their payload may be cut off
        ours |= by_port & ((flows.evidence & mark_bit("not_ssrp")) == 0)
        self.rows: Array = np.flatnonzero(here & ours)
        rows = self.rows
        turned = flows.resp_port[rows] != PORT
        orig, resp = addresses.orig[rows], addresses.resp[rows]
        self.client: Array = np.where(turned, resp, orig)
        self.server: Array = np.where(turned, orig, resp)
        self.client_port: Array = np.where(turned, flows.resp_port[rows], flows.orig_port[rows]).astype("i8")
        self.asked: Array = np.where(turned, flows.resp_packets[rows], flows.orig_packets[rows])
        self.told: Array = np.where(turned, flows.orig_packets[rows], flows.resp_packets[rows])
        self.broadcast: Array = case.everybody[self.server]
        """To everybody: a group, or an address that may be a subnet's broadcast."""
        self.sentry: Array = self.sentry_hosts[self.client] | self.sentry_hosts[self.server]
        self.sentry |= case.owned_by(f"{PRODUCT}.sql_discovery")[rows]

    # -- whose

    @cached_property
    def shown_hosts(self) -> Array:
        """(n addresses,) bool: ends of Digital Sentry's flows, and hosts that the user names."""
        case = self.case
        rows = np.flatnonzero(case.owned_by(*(f"{PRODUCT}.{name}" for name in TALKS)))
        hosts = np.zeros(len(case.addresses), bool)
        hosts[case.addresses.orig[rows]] = hosts[case.addresses.resp[rows]] = True
        hosts &= ~case.addresses.group
        for host in case.facts.signatures.hosts:
            number = case.addresses.find(host.address)
            if number >= 0 and host.component.startswith(f"{PRODUCT}."):
                hosts[number] = True
        return hosts

    @cached_property
    def sentry_hosts(self) -> Array:
        """(n addresses,) bool: the same, and ends of attempts to reach Digital Sentry."""
        hosts: Array = self.shown_hosts.copy()
        hosts[self.case.addresses.orig[self.attempts]] = hosts[self.case.addresses.resp[self.attempts]] = True
        return hosts

    @cached_property
    def attempts(self) -> Array:
        """Flow ids of failed connections to Digital Sentry's own ports, 18772 and 17772 as a rule; no port scans."""
        case, flows, labels = self.case, self.case.flows, self.case.labels
        wanted = [
            k for k, name in enumerate(labels.components) if name in (f"{PRODUCT}.video", f"{PRODUCT}.diagnostics")
        ]
        would = labels.candidates
        rows: Array = distinct(would.flow[np.isin(would.component, wanted)]).astype("i8")
        failed = np.isin(flows.tcp_state, [TCP_STATES.index(name) for name in FAILED_TCP_STATES])
        rows = rows[failed[rows]]
        if not len(rows):
            return rows
        size = max(len(case.addresses), 1)
        pair = case.addresses.orig * size + case.addresses.resp
        tried = np.flatnonzero(failed & (flows.proto == TCP))
        tried = tried[np.isin(pair[tried], pair[rows])]
        pairs, at = np.unique(pair[tried], return_inverse=True)
        ports = distinct(at << 16 | flows.resp_port[tried])
        scanned = pairs[np.bincount(ports >> 16, minlength=len(pairs)) > PROBED_PORTS]
        found: Array = rows[~np.isin(pair[rows], scanned)]
        return found

    # -- requests

    def scanners(self, servers: float) -> Array:
        """(k,) bool: the client asks more servers than that: an inventory or a scan, for which silence is usual."""
        asked = (self.asked > 0) & ~self.broadcast
        size = max(len(self.case.addresses), 1)
        pairs = distinct(self.client[asked] * size + self.server[asked])
        clients, count = np.unique(pairs // size, return_counts=True)
        many: Array = np.isin(self.client, clients[count > servers])
        return many

    @once
    def elsewhere(self, window_ns: int) -> dict[int, list[int]]:
        """Rows whose request was answered only from another address, and the rows of those answers."""
        flows = self.case.flows
        asking = np.flatnonzero((self.asked > 0) & (self.told == 0))
        answers = np.flatnonzero((self.asked == 0) & (self.told > 0))
        key = self.client << 16 | self.client_port
        answers = answers[np.isin(key[answers], key[asking])]
        asking = asking[np.isin(key[asking], key[answers])]
        by_key: dict[int, list[int]] = {}
        for row in answers.tolist():
            by_key.setdefault(int(key[row]), []).append(row)
        found: dict[int, list[int]] = {}
        for row in asking.tolist():
            first, last = int(flows.first_ns[self.rows[row]]), int(flows.last_ns[self.rows[row]])
            for answer in by_key[int(key[row])]:
                if first <= int(flows.first_ns[self.rows[answer]]) <= last + window_ns:
                    found.setdefault(row, []).append(answer)
        return found

    def requests(self, row: int) -> list[Proof]:
        """The requests of an exchange, the first ones of many; none when their payload was cut off."""
        said = self.case.labels.proofs.of(int(self.rows[row]))
        return [proof for proof in said if proof.code == "ssrp_request"]

    def replies(self, row: int) -> list[Proof]:
        """The replies of an exchange."""
        said = self.case.labels.proofs.of(int(self.rows[row]))
        return [proof for proof in said if proof.code == "ssrp_reply"]

    def instances(self, rows: list[int]) -> list[str]:
        """Names of instances that these exchanges asked for, each once."""
        return sorted({name_of(proof.detail) for row in rows for proof in self.requests(row) if proof.detail})

    # -- replies

    @cached_property
    def told_of(self) -> list[Told]:
        """What clients were told, one row per client, server, instance and port, in order of time."""
        found: dict[tuple[str, str, str, int, bool], list[Announced]] = {}
        for item in self.case.read.announced:
            key = (item.asker, item.address, item.instance.upper(), item.port, item.cut)
            found.setdefault(key, []).append(item)
        rows = []
        for (asker, server, _, port, cut), items in found.items():
            first = min(items, key=lambda item: (item.ts_ns, item.capture, item.record))
            rows.append(Told(asker, server, name_of(first.instance), port, cut, first, len(items)))
        return sorted(rows, key=lambda row: (row.first.ts_ns, row.first.record, row.port))

    @cached_property
    def sentry_told(self) -> list[Told]:
        """`told_of`, of hosts that have to do with Digital Sentry."""
        return [row for row in self.told_of if self.is_sentry(row.asker, row.server)]

    def is_sentry(self, *hosts: str) -> bool:
        """Whether one of these addresses has to do with Digital Sentry."""
        numbers = [self.case.addresses.find(host) for host in hosts]
        return any(number >= 0 and bool(self._sentry_ends[number]) for number in numbers)

    @cached_property
    def _sentry_ends(self) -> Array:
        ends = self.sentry_hosts.copy()
        ends[self.client[self.sentry]] = True
        ends[self.server[self.sentry & ~self.broadcast]] = True
        return ends

    @cached_property
    def _by_pair(self) -> tuple[Array, Array]:
        """Keys of (client, server), sorted, and the rows in that order."""
        key = self.client * max(len(self.case.addresses), 1) + self.server
        order = np.argsort(key, kind="stable")
        return key[order], order

    def exchanges(self, client: str, server: str) -> list[int]:
        """Rows of what one client asked one server, in order of time."""
        one, other = self.case.addresses.find(client), self.case.addresses.find(server)
        if one < 0 or other < 0:
            return []
        keys, order = self._by_pair
        key = one * len(self.case.addresses) + other
        low, high = np.searchsorted(keys, [key, key + 1])
        rows: list[int] = order[low:high].tolist()
        return rows

    @cached_property
    def instances_at(self) -> dict[str, dict[str, bool]]:
        """By server: the instances it named, as written first, and whether it named a port for any of them."""
        found: dict[str, dict[str, bool]] = {}
        for row in self.told_of:
            known = found.setdefault(row.server, {})
            known[row.instance] = known.get(row.instance, False) or row.port > 0
        return found

    def named(self, server: str) -> set[str]:
        """Instances that a server named, in capitals."""
        return {name.upper() for name in self.instances_at.get(server, {})}

    def by_name(self, client: str, server: str, instance: str) -> bool:
        """Whether a client asked a server for this very instance."""
        asked = self.instances(self.exchanges(client, server)[:PROBED_PORTS])
        return instance.upper() in (name.upper() for name in asked)

    def answering(self, client: str, server: str) -> list[int]:
        """Flow ids of exchanges in which this server answered this client, in order of time."""
        return [int(self.rows[row]) for row in self.exchanges(client, server) if self.told[row]]

    def asked_itself(self, client: str, server: str) -> bool:
        """Whether a client asked this server, not everybody."""
        return any(bool(self.asked[row]) for row in self.exchanges(client, server))

    # -- and then

    def sql_flows(self, client: str, server: str) -> Array:
        """SQL connections of a client to a server: by what they carry, or by the port that an answer named."""
        rows, addresses = self._sql, self.case.addresses
        a, b = addresses.find(client), addresses.find(server)
        found: Array = rows[(addresses.orig[rows] == a) & (addresses.resp[rows] == b)]
        return found

    @cached_property
    def _sql(self) -> Array:
        """Flow ids of all SQL connections."""
        case, flows = self.case, self.case.flows
        marked = (flows.evidence & (mark_bit("tds_prelogin") | mark_bit("tds_reply"))) != 0
        return np.flatnonzero((flows.proto == TCP) & (marked | case.owned_by(f"{PRODUCT}.sql", "other.mssql")))


def name_of(text: str) -> str:
    """A name from a payload, as a sentence shows it."""
    return text if len(text) <= NAME else f"{text[:NAME]}..."


def _lacking(case: Case) -> str:
    if len(case.server_numbers(PRODUCT)) or len(case.discovery.attempts):
        return ""
    return "nothing in this capture shows Digital Sentry or an attempt to reach it, and --host names none of its hosts"


SENTRY_SITE = Need("a component of Digital Sentry, or an attempt to reach one", _lacking)
