"""Roles of hosts: by what the capture shows of them, not by a port. From outside."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import payload_vectors as vectors
import pytest
from test_evidence_outside import CAMERA_REFUSAL, LOGIN, media, session
from wires import CAMERA, CLIENT, OTHER, SERVER, Wire, frame, owner

from captures.makers import payloads as made
from captures.makers.varied import Options, make_site
from classifier import Report, classify

SAMPLES = Path(__file__).resolve().parent.parent / "captures"
VMS = ("Digifort", "Digital Sentry", "ControlPoint", "Pelco")


def roles(report: Report) -> dict[str, list[str]]:
    return {row["address"]: row["roles"] for row in report.rows("hosts")}


def test_a_camera_sends_media_and_answers_rtsp(tmp_path: Path) -> None:
    wire = Wire()
    session(wire, 40000, client=OTHER)
    media(wire, 40000, target=OTHER)
    report = wire.report(tmp_path)
    assert roles(report)[CAMERA] == ["camera", "RTSP server"]
    reasons = [reason.sentence for reason in report.facts.labels.host_roles.reasons(CAMERA, "camera")]
    assert "It answers RTSP" in reasons
    assert "It sends media" in reasons
    assert roles(report)[OTHER] == []


def test_port_554_alone_makes_no_camera(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(OTHER, 50000, CAMERA, 554).client(b"q" * 40).server(b"z" * 400)
    assert "camera" not in roles(wire.report(tmp_path))[CAMERA]


def test_rtsp_alone_and_rtp_alone_make_no_camera(tmp_path: Path) -> None:
    wire = Wire()
    url = f"rtsp://{CAMERA}/live"
    wire.tcp(OTHER, 50000, CAMERA, 554).client(made.rtsp_request("OPTIONS", url, 1)).server(made.rtsp_reply(1))
    media(wire, 40000, source="10.0.0.30", target=OTHER)  # a telephone call, say
    found = roles(wire.report(tmp_path))
    assert "camera" not in found[CAMERA]
    assert "camera" not in found["10.0.0.30"]


def test_a_camera_that_announces_itself_by_onvif(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(OTHER, 50000, "239.255.255.250", 3702, vectors.WSD_PROBE)
    wire.udp(CAMERA, 3702, OTHER, 50000, vectors.WSD_MATCHES)
    found = roles(wire.report(tmp_path))
    assert "camera" in found[CAMERA]
    assert "camera" not in found[OTHER]


def test_a_camera_that_sends_pictures_by_http_to_a_digifort_server(tmp_path: Path) -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n--x\r\n"
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.tcp(SERVER, 50001, CAMERA, 80).client(made.http_request("GET", "/mjpg", "cam")).server(reply)
    report = wire.report(tmp_path)
    assert "camera" in roles(report)[CAMERA]
    assert "camera" not in roles(report)[SERVER]
    assert owner(report, 80) == ("other.http", "")


def test_a_server_that_reads_a_camera_gives_it_no_role_of_the_product(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.tcp(SERVER, 50001, CAMERA, 80).client(made.http_request("GET", "/jpg", "cam")).server(CAMERA_REFUSAL)
    session(wire, 3000)
    media(wire, 3000)
    found = roles(wire.report(tmp_path))
    assert set(found[CAMERA]) == {"camera", "web server", "RTSP server"}
    assert "Digifort web server" not in found[SERVER]
    assert "web server" not in found[SERVER]


def test_a_recorder_that_offers_rtsp_is_a_server_not_a_camera(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    session(wire, 40000, server=SERVER, client=CLIENT)
    media(wire, 40000, source=SERVER, target=CLIENT)
    assert "camera" not in roles(wire.report(tmp_path))[SERVER]


def test_digiforts_rtsp_server_is_no_camera_though_nothing_else_of_it_is_seen(tmp_path: Path) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, 50000, SERVER, 554)
    talk.client(made.rtsp_request("DESCRIBE", f"rtsp://{SERVER}/x", 1))
    challenge = 'WWW-Authenticate: Basic realm="Digifort RTSP Server"'
    talk.server(made.rtsp_reply(1, challenge, status="401 Unauthorized"))
    media(wire, 40000, source=SERVER, target=CLIENT)
    found = roles(wire.report(tmp_path))
    assert "Digifort RTSP server" in found[SERVER]
    assert "camera" not in found[SERVER]


def test_who_opens_an_analytics_server_is_the_administration_client_only_beside_a_digifort_server(
    tmp_path: Path,
) -> None:
    analytics = "10.0.0.11"
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    for number, host in enumerate((CLIENT, SERVER, OTHER)):
        wire.tcp(host, 50100 + number, analytics, 8610).server(made.digifort_ping("CMD_ANALYTICS_PING"))
    found = roles(wire.report(tmp_path))
    assert "Digifort Administration Client" in found[CLIENT]
    assert "Digifort Administration Client" not in found[SERVER]  # the server connects there too
    assert "Digifort Administration Client" not in found[OTHER]  # may be a server whose own traffic is elsewhere
    assert all("Digifort Analytics client" in found[host] for host in (CLIENT, SERVER, OTHER))


def test_a_digifort_server_that_is_a_client_of_another_one_is_no_administration_client(tmp_path: Path) -> None:
    analytics = "10.0.0.11"
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.tcp(SERVER, 50001, OTHER, 8600).server(LOGIN)
    wire.tcp(SERVER, 50002, analytics, 8610).server(made.digifort_ping("CMD_ANALYTICS_PING"))
    found = roles(wire.report(tmp_path))
    assert {"Digifort server", "Digifort client", "Digifort Analytics client"} <= set(found[SERVER])
    assert "Digifort Administration Client" not in found[SERVER]


def igmp_query(source: str, group: bytes = bytes(4)) -> bytes:
    return frame(source, "224.0.0.1", 2, struct.pack(">BBH", 0x11, 100, 0) + group)


def test_who_asks_for_all_groups_is_the_querier(tmp_path: Path) -> None:
    wire = Wire()
    wire.put(igmp_query("10.0.0.254"))
    wire.put(igmp_query("0.0.0.0"))
    wire.put(igmp_query("10.0.0.253", b"\xef\1\2\3"))  # for one group
    report = wire.report(tmp_path)
    found = {address: words for address, words in roles(report).items() if words}
    assert found == {"10.0.0.254": ["IGMP querier"]}
    assert "[record 1 of" in report.explain("10.0.0.254")


def test_a_upnp_device_answers_and_a_searcher_does_not(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(OTHER, 50000, "239.255.255.250", 1900, vectors.SSDP_SEARCH)
    wire.udp(CAMERA, 1900, OTHER, 50000, vectors.SSDP_REPLY)
    found = roles(wire.report(tmp_path))
    assert found[CAMERA] == ["UPnP device"]
    assert found[OTHER] == []


def test_who_answers_dns_is_the_server_and_who_does_not_is_none(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(CLIENT, 50000, SERVER, 53, vectors.DNS_QUERY)
    wire.udp(SERVER, 53, CLIENT, 50000, vectors.DNS_REPLY)
    wire.udp(CLIENT, 50001, OTHER, 53, vectors.DNS_QUERY)
    found = roles(wire.report(tmp_path))
    assert found[SERVER] == ["DNS server"]
    assert found[OTHER] == []


@pytest.mark.parametrize("name", ["digifort_site", "digital_sentry_site", "neighbours", "recorded_site"])
def test_hosts_of_the_samples_have_the_roles_that_only_payloads_show(name: str) -> None:
    truth = json.loads((SAMPLES / "truth" / f"{name}.json").read_text(encoding="utf-8"))
    found = roles(classify(SAMPLES / truth["capture"]))
    for address, row in truth["hosts"].items():
        if address in found:
            assert set(row["roles"]) | set(row["content_roles"]) <= set(found[address]), row["name"]


@pytest.mark.parametrize("options", [Options(), Options(ports="moved"), Options(layout="one_host")], ids=str)
@pytest.mark.parametrize("seed", [1, 2])
def test_servers_of_generated_sites_have_their_roles_on_any_port(seed: int, options: Options, tmp_path: Path) -> None:
    made_site = make_site(seed, options)
    path = tmp_path / "site.pcap"
    path.write_bytes(made_site.capture)
    found = roles(classify(path))
    for address, words in made_site.truth.roles.items():
        assert words <= set(found[address]), address


@pytest.mark.parametrize("seed", [3, 4])
def test_services_that_say_what_they_are_get_no_role_of_digifort(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "site.pcap"
    path.write_bytes(make_site(seed, Options(decoys="speaking")).capture)
    found = roles(classify(path))
    assert not [words for words in found.values() if any("Digifort" in word for word in words)]


@pytest.mark.parametrize("seed", [3, 4])
def test_silent_services_get_roles_of_a_product_only_where_the_port_is_the_products(seed: int, tmp_path: Path) -> None:
    made_site = make_site(seed, Options(decoys="opaque"))
    path = tmp_path / "site.pcap"
    path.write_bytes(made_site.capture)
    for address, words in roles(classify(path)).items():
        if any(vms in word for word in words for vms in VMS):
            assert address in made_site.truth.allowed, (address, words)
