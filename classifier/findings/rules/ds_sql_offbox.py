"""DS-SQL-OFFBOX: Digital Sentry's database is on another host than its video."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import filters
from classifier.findings.case import Case, listed, sorted_addresses
from classifier.findings.model import Finding, Rule, Skipped
from classifier.findings.needs import DIGITAL_SENTRY


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    videos = case.hosts_of("digital_sentry.video")
    found = case.discovery
    rows = np.flatnonzero(case.owned_by("digital_sentry.sql"))
    numbers = case.own_address(rows)
    told = found.sentry & (found.told > 0) & (found.asked > 0)  # not what answers a broadcast
    hosts = set(numbers.tolist()) | set(found.server[told].tolist())
    databases = sorted_addresses(case.addresses.text(number) for number in hosts)
    if not databases:
        return
    if not videos:
        yield Skipped("no host is seen to have video on 18772/tcp, to compare the SQL Server with")
        return
    for address in databases:
        if address in videos:
            continue
        number = case.addresses.find(address)
        flows = [*rows[numbers == number].tolist(), *found.rows[told & (found.server == number)].tolist()]
        ports = sorted({int(port) for port in case.flows.resp_port[rows[numbers == number]]})
        known = f" and {listed([f'{port}/tcp' for port in ports])}" if ports else " and its SQL port"
        yield Finding(
            title=f"The database is off-box: {address}, video comes from {listed(videos)}",
            summary=(
                f"SQL runs on {case.place(address)}, 18772/tcp on {listed([case.place(host) for host in videos])}. "
                f"Clients need 1434/udp{known} to the one, the other ports to the other: a firewall rule or NAT entry "
                "for the video server alone leaves the clients without a database."
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
        )


RULE = Rule(
    code="DS-SQL-OFFBOX",
    severity="info",
    title="Digital Sentry's database is on a host of its own",
    remedy="Check that the firewall rules for 1434/udp and the SQL port name the SQL Server, not the video server.",
    source=(
        "Pelco support article on Digital Sentry's ports: \"1434 UDP - Off-box SQL Server, required for "
        'DigitalSentry systems"'
    ),
    check=check,
    needs=(DIGITAL_SENTRY,),
)
