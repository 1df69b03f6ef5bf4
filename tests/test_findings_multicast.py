"""Multicast groups as rules see them, against plain counting over packets; and what queries say of timers."""

from __future__ import annotations

import itertools
import random
import struct
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import classifier
from classifier.evidence.membership import Timers
from classifier.findings import filters
from classifier.findings.case import Case
from classifier.findings.groups import group_mac, is_link_local
from classifier.findings.rules.dgf_mc_shared import overlap
from classifier.findings.snooping import aliases_link_local, lifetime_s

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers.faults.multicast import send  # noqa: E402
from captures.makers.faults.scene import ANY, lan  # noqa: E402
from captures.makers.faults.snooping import query  # noqa: E402
from captures.makers.files import capture_bytes  # noqa: E402
from captures.makers.site import MS, S, Site  # noqa: E402

TENTH = 100 * MS


def case_of(site: Site, folder: Path) -> Case:
    path = folder / "multicast.pcap"
    path.write_bytes(capture_bytes(site))
    return Case(classifier.classify(path))


Packet = tuple[int, str, str, int]  # time, sender, group, port


def random_site(seed: int) -> tuple[Site, list[Packet]]:
    """A few hosts that send to a few groups and ports, from changing source ports."""
    rng = random.Random(seed)
    site = lan(seed)
    hosts = [site.host(f"h{n}", f"10.1.0.{n}") for n in range(3, 7)]
    groups = ["225.5.10.1", "239.1.1.1", "224.0.0.251"]
    packets = []
    for _ in range(200):
        at, host = rng.randrange(0, 20_000) * MS, rng.choice(hosts)
        group, port = rng.choice(groups), rng.choice([500, 1025, 1026, 5004])
        site.udp(at, host, rng.choice([4000, 4001, 4002]), group, port, bytes(30), ANY, ttl=rng.choice([1, 3]))
        packets.append((site.start_ns + at, host.ip, group, port))
    site.udp(S, hosts[0], 1, hosts[1], 2, bytes(10), ANY)
    site.udp(S, hosts[0], 1, "255.255.255.255", 2, bytes(10), ANY)
    return site, sorted(packets)


@pytest.mark.parametrize("seed", range(4))
def test_groups_are_what_counting_packets_gives(seed: int, tmp_path: Path) -> None:
    site, packets = random_site(seed)
    case = case_of(site, tmp_path)
    assert {group.address for group in case.groups.all} == {group for _, _, group, _ in packets}
    for group in case.groups.all:
        mine = [item for item in packets if item[2] == group.address]
        assert group.packets == len(mine)
        assert group.ports == sorted({port for _, _, _, port in mine})
        assert (group.first_ns, group.last_ns) == (mine[0][0], mine[-1][0])
        by_sender: dict[str, int] = defaultdict(int)
        for _, sender, _, _ in mine:
            by_sender[sender] += 1
        senders = [case.addresses.text(number) for number in group.senders]
        assert sorted(senders) == sorted(by_sender)
        assert [by_sender[name] for name in senders] == sorted(by_sender.values(), reverse=True)
        for row in group.sources:
            times = [
                at
                for at, sender, _, port in mine
                if sender == case.addresses.text(int(row["sender"])) and port == row["port"]
            ]
            assert (row["packets"], row["first_ns"], row["last_ns"]) == (len(times), times[0], times[-1])
        check_over_time(case, group, group.sources, [at for at, _, _, _ in mine])
        one = group.of_sender(group.senders[0])
        check_over_time(case, group, one, [at for at, sender, _, _ in mine if sender == senders[0]])
        most, when = case.groups.most_ports_at_once(group.sources)
        per_second: dict[int, set[int]] = defaultdict(set)
        for at, _, _, port in mine:
            per_second[at // S].add(port)
        assert most == max(map(len, per_second.values()))
        assert when // S == min(second for second, ports in per_second.items() if len(ports) == most)


def check_over_time(case: Case, group: Any, sources: Any, times: list[int]) -> None:
    starts, counts, _ = case.groups.over_time(sources)
    bins: dict[int, int] = defaultdict(int)
    for at in times:
        bins[at - at % TENTH] += 1
    assert dict(zip(starts.tolist(), counts.tolist(), strict=True)) == dict(bins)
    assert starts.tolist() == sorted(bins)
    for gap in (200 * MS, S, 100 * S):
        tenths = sorted(bins)
        runs = [[tenths[0], tenths[0]]]
        for at in tenths[1:]:
            if at - runs[-1][1] > gap + TENTH:
                runs.append([at, at])
            runs[-1][1] = at
        clipped = [(max(a, times[0]), min(b + TENTH, times[-1])) for a, b in runs]
        assert case.groups.runs(sources, gap) == clipped


def test_what_two_lists_of_times_have_in_common() -> None:
    rng = random.Random(5)
    for _ in range(200):
        lists = []
        for _ in range(2):
            edges = sorted(rng.sample(range(60), 2 * rng.randrange(1, 6)))
            lists.append(list(zip(edges[::2], edges[1::2], strict=True)))
        inside = [{t for a, b in times for t in range(a, b)} for times in lists]
        common = {t for a, b in overlap(*lists) for t in range(a, b)}
        assert common == inside[0] & inside[1]


def test_macs_and_kinds_of_groups() -> None:
    assert group_mac("225.5.10.1") == group_mac("225.133.10.1") == group_mac("239.5.10.1") == 0x01005E050A01
    assert group_mac("ff02::1:ff00:12") == 0x3333FF000012
    assert [is_link_local(a) for a in ("224.0.0.5", "224.0.1.5", "ff02::fb", "ff05::1:3", "ff12::1")] == [
        True, False, True, False, True,
    ]  # fmt: skip
    flooded = ("225.0.0.100", "239.128.0.100")
    assert all(aliases_link_local(address) for address in flooded)
    assert not any(aliases_link_local(address) for address in ("225.5.10.1", "225.0.1.100", "ff05::1"))


@pytest.mark.parametrize(("version", "interval", "expected"), [(3, 60, 2 * 60 + 10), (3, 125, 260), (2, 0, 260)])
def test_the_query_itself_says_how_long_a_group_lives(
    version: int, interval: int, expected: int, tmp_path: Path
) -> None:
    site = lan()
    query(site, S, site.host("switch", "10.1.0.1"), version=version, interval=interval)
    case = case_of(site, tmp_path)
    assert lifetime_s(case, 260) == expected
    (item,) = case.groups.queries
    assert (item.vlan, item.mac, item.timers.response_ms) == (-1, 0x02005E010001, 10_000)


def test_messages_know_their_vlan(tmp_path: Path) -> None:
    site = lan()
    site.vlan = 30
    site.igmp_join(S, site.host("pc", "10.1.0.40"), ["239.1.1.1", "239.1.1.2"])
    case = case_of(site, tmp_path)
    assert [(item.group, item.vlan, item.timers) for item in case.read.memberships] == [
        ("239.1.1.1", 30, Timers()),
        ("239.1.1.2", 30, Timers()),
    ]
    assert case.groups.get("239.1.1.2").members == ["10.1.0.40"]
    assert [group.address for group in case.groups.all] == ["239.1.1.1", "239.1.1.2"]
    assert filters.of_reports(case, "239.1.1.1")()[1] == 1


def test_the_mac_that_a_group_was_sent_to_is_no_host_s(tmp_path: Path) -> None:
    site = lan()
    send(site, site.host("camera", "10.1.0.20"), "239.10.20.30", 5004, 0, S)
    case = case_of(site, tmp_path)
    assert case.flows.resp_mac.tolist() == [0x01005E0A141E]
    assert [row["macs"] for row in case.report.rows("hosts")] == [["02:00:5e:01:00:14"]]


def test_a_flood_of_groups_and_senders_gives_few_findings(tmp_path: Path) -> None:
    """20,000 senders, each to its own group and port, and to Digifort's; and as many IGMP messages."""

    def frame(source: int, group: bytes, proto: int, data: bytes) -> bytes:
        header = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 0, 0, 1, proto, 0, struct.pack("!I", source), group
        )
        return (
            b"\x01\x00\x5e"
            + bytes((group[1] & 127, *group[2:]))
            + bytes.fromhex("020000000001")
            + b"\x08\0"
            + header
            + data
        )

    def frames() -> Any:
        for k in range(20_000):
            source, own = 0x0A000001 + k, bytes((226 + k % 9, 1, k >> 8 & 255, k & 255))
            group = own if k % 2 else bytes((225, 5, 10, 1))
            yield frame(source, group, 17, struct.pack("!HHHH", 5000, 1025 + k, 28, 0) + bytes(20))
            kind = (0x11, 0x16, 0x17)[k % 3]
            asked = bytes(4) if kind == 0x11 else own
            yield frame(source, own, 2, struct.pack("!BBH4s", kind, 100, 0, asked))

    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for number, data in enumerate(frames()):
        out.append(
            struct.pack("<IIII", 1_717_400_000 + number // 100, number % 100 * 10_000, len(data), len(data)) + data
        )
    path = tmp_path / "flood.pcap"
    path.write_bytes(b"".join(out))
    report = classifier.classify(path)
    codes = [row["code"] for row in report.rows("findings") if row["status"] == "fired" and "-MC-" in row["code"]]
    assert all(len(list(same)) <= 20 for _, same in itertools.groupby(sorted(codes)))
    ports = next(row for row in report.rows("findings") if row["code"] == "DGF-MC-PORTS")
    assert "10,000 ports" in ports["title"]
    assert len(ports["summary"]) < 1000
