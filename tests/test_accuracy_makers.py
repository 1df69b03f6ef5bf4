"""Generated sites are what they say: the same bytes again, well-formed, and compared in a way that finds faults."""

from __future__ import annotations

import ast
import dataclasses
import re
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from oracles import scapy_counts

from captures.makers.accuracy import CASES, PRODUCTS, compare, percent
from captures.makers.varied import FlowTruth, Made, Options, make_site
from captures.makers.varied.truth import RULES

VARIED = Path(__file__).resolve().parent.parent / "captures" / "makers" / "varied"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_same_seed_same_bytes_and_another_seed_others(case: Options) -> None:
    site = make_site(5, case)
    again = make_site(5, case)
    assert site.capture == again.capture
    assert [dataclasses.replace(one, flow=None) for one in site.truth.flows] == [  # type: ignore[arg-type]
        dataclasses.replace(one, flow=None)
        for one in again.truth.flows  # type: ignore[arg-type]
    ]
    assert site.capture != make_site(6, case).capture


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lengths_are_right_and_counted_as_scapy_counts(case: Options, tmp_path: Path) -> None:
    site = make_site(2, case)
    path = tmp_path / "site.pcap"
    path.write_bytes(site.capture)
    counts = scapy_counts(path)
    assert (counts.packets, counts.wire_bytes) == (site.truth.packets, site.truth.wire_bytes)
    assert (
        sum(one.flow.packets for one in site.truth.flows) + sum(p.flow is None for p in site.packets) == counts.packets
    )
    for packet in site.packets:
        frame = packet.frame
        if frame[12:14] == b"\x08\x00":
            (length,) = struct.unpack_from("!H", frame, 16)
            assert length + 14 == len(frame) or (len(frame) == 60 and length + 14 < 60)
            assert 34 <= packet.head <= len(frame)


def test_times_do_not_run_backwards_and_stay_near_the_minute() -> None:
    for case in CASES:
        times = [packet.at for packet in make_site(3, case).packets]
        assert times == sorted(times)
        assert times[0] >= 0 and 40e9 < times[-1] < 90e9


def test_the_truth_does_not_come_from_the_classifier() -> None:
    for path in VARIED.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not any(name.split(".")[0] == "classifier" for name in names), path


def test_a_plain_site_has_every_component_and_all_of_it_can_be_known() -> None:
    for seed in range(1, 6):
        flows = make_site(seed, Options()).truth.flows
        assert {one.flow.component for one in flows} >= set(RULES)
        assert all(one.knowable for one in flows)


def test_options_take_knowledge_away() -> None:
    def known(options: Options) -> dict[str, set[bool]]:
        table: dict[str, set[bool]] = {}
        for one in make_site(1, options).truth.flows:
            table.setdefault(one.flow.component, set()).add(one.knowable)
        return table

    def graded(options: Options, component: str) -> set[str]:
        return {one.grade for one in make_site(1, options).truth.flows if one.flow.component == component}

    assert graded(Options(), "digifort.server") == {"confirmed"}
    assert graded(Options(content="opaque"), "digifort.server") == {"probable"}
    assert graded(Options(start="midstream"), "digifort.server") == {"probable"}
    assert graded(Options(ports="moved"), "digifort.server") == {"confirmed"}
    assert graded(Options(ports="moved", content="opaque"), "digifort.server") == {""}
    assert known(Options(ports="moved", content="opaque"))["digifort.server"] == {False}
    assert known(Options(ports="moved"))["digital_sentry.video"] == {False}
    assert known(Options(content="opaque"))["digital_sentry.sql"] == {False}
    assert graded(Options(start="midstream"), "digifort.media_input") == {"probable"}
    assert graded(Options(), "digifort.announcement") == {"probable"}


def test_decoy_sites_have_no_product() -> None:
    for kind in ("speaking", "opaque"):
        for seed in range(1, 4):
            site = make_site(seed, Options(decoys=kind))  # type: ignore[arg-type]
            assert not [one for one in site.truth.flows if one.flow.component.startswith(PRODUCTS)]
            assert any(one.flow.may for one in site.truth.flows) == (kind == "opaque")
            assert not site.truth.roles and not site.truth.learned


def test_moved_ports_are_not_the_documented_ones() -> None:
    own = {8600, 8601, 8610, 8611, 17772, 18772}
    site = make_site(1, Options(ports="moved"))
    assert not own & {one.flow.listener[1] for one in site.truth.flows if one.flow.protocol == "tcp"}


def test_nat_puts_many_clients_behind_one_address() -> None:
    site = make_site(1, Options(addresses="nat"))
    clients = {one.flow.peer for one in site.truth.flows if one.flow.component == "digital_sentry.video"}
    assert len(clients) == 1
    assert "digifort.server" in {one.flow.component for one in site.truth.flows if one.flow.orig in clients}


def test_one_way_captures_have_one_direction_at_the_servers() -> None:
    for directions, side in (("into", "resp_packets"), ("out_of", "orig_packets")):
        site = make_site(1, Options(directions=directions))  # type: ignore[arg-type]
        video = [one.flow for one in site.truth.flows if one.flow.component == "digifort.server"]
        assert video and all(getattr(flow, side) == 0 for flow in video)


def test_parts_are_the_capture_cut_in_pieces() -> None:
    site = make_site(1, Options())
    for files in (2, 5):
        parts = site.parts(files)
        assert len(parts) == files
        assert parts[0] + b"".join(part[24:] for part in parts[1:]) == site.capture


# what proves a component, in the first bytes of a payload, by what the scenes call it
PROOFS = {
    "digifort.server": rb"\xd1\x51\xf0\x27.{4}\x01\x05LOGIN",
    "digifort.analytics": rb"\xd1\x51\xf0\x27.{4}\x01.CMD_ANALYTICS",
    "digifort.lpr": rb"\xd1\x51\xf0\x27.{4}\x01.CMD_LPR",
    "digifort.http_api": rb"(?i:(GET|POST) /interface/)",
    "digifort.web": rb'HTTP/1\.1 401 [^\r]*\r\nWWW-Authenticate: Basic realm="Servidor HTTP Digifort"',
    "digifort.rtsp": rb'[A-Z]+ rtsp://[^ ]+/Interface/Cameras/Media|RTSP/1\.0 401.*realm="Digifort RTSP Server"',
    "digifort.upnp_discovery": rb"M-SEARCH \* HTTP/1\.1|HTTP/1\.1 200 OK\r\n",
    "digital_sentry.sql": rb"[\x12\x04]\x01.{6}\0\0.\0\x06\x01.{4}\x02.{4}\x03.{4}\x04.{4}\xff",
    "digital_sentry.sql_discovery": rb"\x04[A-Z]+|\x05..ServerName;",
}


@pytest.mark.parametrize("case", [case for case in CASES if not case.snaplen], ids=lambda case: case.name)
def test_facts_are_in_the_bytes_and_nowhere_else(case: Options) -> None:
    site = make_site(4, case)
    shown: set[int] = set()
    for packet in site.packets:
        payload = packet.frame[packet.head :]
        flow = packet.flow
        proof = PROOFS.get(flow.component) if flow is not None else None
        for fact in packet.shows:
            assert flow is not None
            if fact.name == "content":
                assert proof and re.match(proof, payload[: fact.need], re.DOTALL), (flow.component, payload[:60])
            elif fact.endpoint is not None:
                text = payload[: fact.need].decode("latin-1")
                assert str(fact.endpoint[1]) in re.split(r"[^0-9]", text), text
        if proof and re.match(proof, payload, re.DOTALL):
            shown.add(id(flow))
    told = {id(one.flow) for one in site.truth.flows if "content" in one.flow.facts}
    assert shown == told


def as_labelled(one: FlowTruth) -> dict[str, Any]:
    """A flow of a report that is right."""
    flow = one.flow
    return {
        "protocol": flow.protocol, "orig_address": flow.orig, "orig_port": flow.orig_port,
        "resp_address": flow.resp, "resp_port": flow.resp_port, "orig_packets": flow.orig_packets,
        "resp_packets": flow.resp_packets, "orig_wire_bytes": flow.wire_bytes, "resp_wire_bytes": 0, "evidence": [],
        "component": one.owners[0] if one.owners else "unclassified.tcp", "grade": one.grade if one.knowable else "",
    }  # fmt: skip


def labels_of(site: Made) -> list[dict[str, Any]]:
    return [as_labelled(one) for one in site.truth.flows]


def test_right_labels_have_no_faults_and_full_marks() -> None:
    for case in CASES:
        site = make_site(1, case)
        rows, faults = compare(site, labels_of(site))
        assert faults == []
        for row in rows.values():
            assert row.found == row.knowable and row.right == row.given and row.too_high == 0


def test_every_kind_of_wrong_label_is_a_fault() -> None:
    site = make_site(1, Options(ports="moved", content="opaque"))

    def aspects(of: str, **changes: Any) -> list[str]:
        labels = labels_of(site)
        at = next(i for i, one in enumerate(site.truth.flows) if one.flow.component == of)
        labels[at] |= changes
        return sorted(fault.aspect for fault in compare(site, labels)[1])

    assert aspects("other.dns", component="digifort.media_input", grade="probable") == ["grades", "products"]
    assert aspects("digifort.announcement", component="unclassified.udp", grade="") == ["products"]
    assert aspects("digifort.announcement", grade="confirmed") == ["grades"]
    assert aspects("digifort.server", component="digifort.server", grade="probable") == ["grades", "products"]
    assert aspects("other.ssh", component="other.http") == ["rest"]
    assert aspects("other.ssh", orig_packets=0) == ["counts"]
    rows, _ = compare(site, [one | {"component": "digifort.announcement"} for one in labels_of(site)])
    row = rows["digifort.announcement"]
    assert row.right[0] < row.given[0] and row.right[1] < row.given[1] and row.found == row.knowable


def test_shares_are_rounded_only_where_that_is_honest() -> None:
    assert percent(0, 0) == "-"
    assert percent(5, 5) == "100 %"
    assert percent(99_999, 100_000) == "> 99.9 %"
    assert percent(0, 7) == "0 %"
    assert percent(1, 3) == "33.3 %"


@pytest.mark.tshark
@pytest.mark.parametrize(
    "case", [Options(), Options(addresses="nat"), Options(decoys="speaking")], ids=lambda c: c.name
)
def test_tshark_finds_nothing_malformed(case: Options, tmp_path: Path) -> None:
    path = tmp_path / "site.pcap"
    path.write_bytes(make_site(1, case).capture)
    wrong = "(_ws.malformed || _ws.expert.severity >= 0x00800000) && !quic"  # QUIC's first packets are noise inside
    command = ["tshark", "-n", "-r", str(path), "-Y", wrong]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout == ""
