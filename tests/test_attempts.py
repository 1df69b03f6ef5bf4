"""What becomes of connections: an outcome for every flow, a roll-up by service and hosts, the ports of products."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import classifier
from classifier.findings import attempts as at
from classifier.findings.case import Case

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers.faults.connect import Net, mirrored_twice  # noqa: E402
from captures.makers.faults.connections import goes_on, made, no_answer, reset_back, talk_then  # noqa: E402
from captures.makers.files import capture_bytes  # noqa: E402
from captures.makers.site import MS, S  # noqa: E402

SAMPLES = sorted((ROOT / "captures").glob("*.pcap*"))


def case_of(make: Callable[[], bytes], folder: Path) -> Case:
    path = folder / "capture.pcap"
    path.write_bytes(make())
    return Case(classifier.classify(path))


def outcome(case: Case, server: str, port: int) -> str:
    """Of the only flow to a service."""
    (pair,) = case.attempts.to(server, port)
    (row,) = case.attempts.flows(pair.number)
    assert pair.state == case.attempts.outcome[row]
    return at.OUTCOMES[int(case.attempts.outcome[row])]


def build(net: Net) -> None:
    client = net.host(40)
    net.works(3 * S, client, net.host(101), 80)
    net.refused(3 * S, client, net.host(102), 80)
    net.silent(3 * S, client, net.host(103), 80)
    net.forbidden(3 * S, client, net.host(104), 80)
    net.deaf(3 * S, client, net.host(105), 80)
    net.dropped(3 * S, client, net.host(106), 80)
    net.syn(3 * S, client, net.host(107), 80)
    net.syn(20 * S, client, net.host(108), 80)
    net.syn(20 * S + 400 * MS, client, net.host(108), 80)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (101, "established"),
        (102, "refused"),
        (103, "unanswered"),
        (104, "rejected"),
        (105, "ignored"),
        (106, "dropped"),
        (107, "inconclusive"),
    ],
)
def test_every_way_to_fail(number: int, expected: str, tmp_path: Path) -> None:
    assert outcome(case_of(made(build), tmp_path), f"10.1.0.{number}", 80) == expected


def test_single_syns_near_the_end_are_not_judged(tmp_path: Path) -> None:
    (pair,) = case_of(made(build), tmp_path).attempts.to("10.1.0.108", 80)
    assert pair.counts[at.INCONCLUSIVE] == 2
    assert pair.state == at.INCONCLUSIVE


def test_tries_with_one_syn_each_count_together(tmp_path: Path) -> None:
    def tries(net: Net) -> None:
        for k in range(3):
            net.syn((3 + k) * S, net.host(40), net.host(101), 80)

    (pair,) = case_of(made(tries), tmp_path).attempts.to("10.1.0.101", 80)
    assert pair.counts[at.UNANSWERED] == 3


def test_a_mirrors_copy_of_a_syn_is_no_second_one(tmp_path: Path) -> None:
    def once(net: Net) -> None:
        net.syn(3 * S, net.host(40), net.host(101), 80)
        mirrored_twice(net.site)

    assert outcome(case_of(made(once), tmp_path), "10.1.0.101", 80) == "inconclusive"


@pytest.mark.parametrize(
    ("after", "silence", "expected"),
    [(reset_back, 90, at.IDLE_CUT), (no_answer, 90, at.IDLE_CUT), (goes_on, 90, at.ESTABLISHED)],
)
def test_a_connection_that_was_silent(after: Callable[..., None], silence: int, expected: int, tmp_path: Path) -> None:
    (pair,) = case_of(made(talk_then(after, silence)), tmp_path).attempts.to("10.1.0.5", 8600)
    assert pair.counts[expected] == 1
    assert pair.worked == 1


def test_without_any_packet_of_the_other_side_nobody_can_tell(tmp_path: Path) -> None:
    from captures.makers.faults.scene import lan

    def alone() -> bytes:
        site = lan()
        net = Net(site)
        net.silent(0, net.host(40), net.host(101), 80)
        return capture_bytes(site)

    assert outcome(case_of(alone, tmp_path), "10.1.0.101", 80) == "half_seen"


def test_an_rst_from_nearer_than_its_host_is_a_hint(tmp_path: Path) -> None:
    from scapy.layers.inet import TCP

    def forged(net: Net) -> None:
        client, server = net.host(40), net.host(101)
        net.works(S, client, server, 443)
        source = net.port()
        net.syn(3 * S, client, server, 80, source=source)
        packet = net.site.ip(server, client.ip, 6, TCP(sport=80, dport=source, ack=1, flags="RA"), ttl=64)
        net.frame(3 * S + MS, server, client, packet)

    case = case_of(made(forged), tmp_path)
    (row,) = [item for item in case.report.rows("findings") if item["code"] == "NET-CONN-FAIL" and item["summary"]]
    assert "The RST came with TTL 64, other packets of 10.1.0.101 with TTL 128" in row["summary"]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_the_roll_up_holds_every_flow_once(path: Path) -> None:
    case = Case(classifier.classify(path))
    tried = case.attempts
    flows = [int(flow) for number in range(len(tried)) for flow in tried.flows(number)]
    assert sorted(flows) == np.flatnonzero(tried.outcome != at.NONE).tolist()
    for number in range(len(tried)):
        pair = tried.pair(number)
        assert Counter(tried.outcome[tried.flows(number)].tolist()) == Counter(
            {k: n for k, n in enumerate(pair.counts) if n}
        )
        assert pair.first_ns == case.flows.first_ns[tried.flows(number)].min()
        assert tried.pairs(client=pair.client, server=pair.server, port=pair.port, proto=pair.proto) == [pair]


def test_the_matrix_of_a_digital_sentry_client() -> None:
    case = Case(classifier.classify(ROOT / "captures" / "digital_sentry_site.pcap"))
    rows = {row.component.partition(".")[2]: row for row in case.ports if row.client == "10.30.0.23"}
    states = {name: row.state for name, row in rows.items()}
    assert states["video"] == "working"
    assert states["diagnostics"] == "blocked"
    assert states["mobile"] == "no attempt seen"
    assert rows["diagnostics"].required == "no"
    assert case.report.rows("flows")[rows["diagnostics"].flows[0]]["first_record"] == rows["diagnostics"].record


def test_hosts_of_no_product_have_no_matrix() -> None:
    case = Case(classifier.classify(ROOT / "captures" / "neighbours.pcapng"))
    assert case.ports == []
