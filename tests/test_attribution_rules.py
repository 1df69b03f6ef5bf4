"""Attribution beyond the overlap rules: failed attempts, protocols, services, roles, precedence, user's products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flowtables import Labelled, built_in, flow
from hypothesis import given
from hypothesis import strategies as st

from classifier.evidence.marks import MARKS
from classifier.flows.table import TCP_STATES
from classifier.matching import Learned, load_signatures, service_ports

SERVER = flow("tcp", "10.0.0.50:50000", "10.0.0.1:8600")
DS_SERVER = flow("tcp", "10.0.0.60:50000", "10.0.0.2:18772")

PORTS_ALONE = [
    ("digifort.server", 8600),
    ("digifort.http_api", 8601),
    ("digifort.analytics", 8610),
    ("digifort.lpr", 8611),
    ("digital_sentry.diagnostics", 17772),
    ("digital_sentry.video", 18772),
]


# --- TCP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("component", "port"), PORTS_ALONE)
def test_port_and_role_alone_are_probable(component: str, port: int) -> None:
    got = Labelled(flow("tcp", "10.0.0.50:50000", f"10.0.0.1:{port}"))
    assert (got.of(), got.grade()) == (component, "probable")
    assert got.evidence() == [f"port:tcp/{port}", "role:listener"]
    assert len(got.labels.candidates) == 0


@pytest.mark.parametrize(("component", "port"), PORTS_ALONE)
@pytest.mark.parametrize("state", ["attempt", "refused"])
def test_a_failed_attempt_enters_no_products_row(component: str, port: int, state: str) -> None:
    got = Labelled(flow("tcp", "10.0.0.50:50000", f"10.0.0.1:{port}", state=state, packets=(2, 1), payload=(0, 0)))
    assert (got.of(), got.grade()) == ("unclassified.tcp", "")
    assert got.evidence() == [f"tcp:{state}"]
    assert f"tcp/{port}" in got.candidates()[component]
    assert not got.labels.roles


@pytest.mark.parametrize("state", [state for state in TCP_STATES if state not in ("", "attempt", "refused")])
def test_every_other_tcp_state_owns(state: str) -> None:
    assert Labelled(flow("tcp", "10.0.0.50:50000", "10.0.0.1:8600", state=state)).of() == "digifort.server"


def test_a_failed_attempt_supports_nothing() -> None:
    failed = flow("tcp", "10.0.0.50:50000", "10.0.0.1:8600", state="attempt")
    web = flow("tcp", "10.0.0.50:50001", "10.0.0.1:80")
    assert Labelled(failed, web).of(web) == "other.http"


def test_a_failed_attempt_on_a_generic_port_matters_only_at_a_host_of_the_product() -> None:
    at_server = flow("tcp", "10.0.0.70:50001", "10.0.0.2:443", state="refused")
    elsewhere = flow("tcp", "10.0.0.70:50002", "203.0.113.7:443", state="refused")
    got = Labelled(DS_SERVER, at_server, elsewhere)
    assert got.of(at_server) == got.of(elsewhere) == "unclassified.tcp"
    assert "refused" in got.candidates(at_server)["digital_sentry.mobile"]
    assert not got.candidates(elsewhere)


def test_a_failed_attempt_to_a_learned_endpoint_is_a_candidate() -> None:
    blocked = flow("tcp", "10.0.0.60:50001", "10.0.0.3:49823", state="attempt")
    learned = Learned("digital_sentry.sql", "10.0.0.3", 49823, "tcp", "ssrp")
    got = Labelled(DS_SERVER, blocked, learned=[learned])
    assert got.of(blocked) == "unclassified.tcp"
    assert "no answer" in got.candidates(blocked)["digital_sentry.sql"]
    assert not Labelled(blocked, learned=[learned]).candidates(blocked)


def test_no_handshake_but_the_same_port_on_both_sides_is_no_doubt() -> None:
    got = Labelled(flow("tcp", "10.0.0.60:18772", "10.0.0.2:18772", basis="first_packet"))
    assert got.of() == "digital_sentry.video"


def test_video_may_be_opened_by_the_server() -> None:
    reverse = flow("tcp", "10.0.0.2:50000", "10.0.0.61:18772")
    got = Labelled(DS_SERVER, reverse)
    assert got.of(reverse) == "digital_sentry.video"
    assert got.labels.roles["10.0.0.2"] == ["Digital Sentry server"]
    assert got.labels.roles["10.0.0.61"] == ["DS ControlPoint client"]
    # so nothing at that client is taken for the server's
    https = flow("tcp", "10.0.0.70:50000", "10.0.0.61:443")
    assert Labelled(DS_SERVER, reverse, https).of(https) == "other.https"


def test_the_diagnostics_port_tells_the_server_of_a_reverse_video_connection() -> None:
    diagnostics = flow("tcp", "10.0.0.61:50000", "10.0.0.2:17772")
    reverse = flow("tcp", "10.0.0.2:50000", "10.0.0.61:18772")
    got = Labelled(diagnostics, reverse)
    assert got.labels.roles["10.0.0.61"] == ["DS ControlPoint client"]


def test_rtsp_is_digiforts_only_with_content() -> None:
    at_server = flow("tcp", "10.0.0.70:50000", "10.0.0.1:554")
    at_camera = flow("tcp", "10.0.0.1:50000", "10.0.0.101:554")
    got = Labelled(SERVER, at_server, at_camera)
    assert got.of(at_server) == got.of(at_camera) == "other.rtsp"
    assert "content" in got.candidates(at_server)["digifort.rtsp"]
    assert not got.candidates(at_camera)
    assert got.labels.roles["10.0.0.101"] == ["camera", "RTSP server"]


# --- everything else -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", built_in().services, ids=lambda service: service.id)
def test_every_curated_service_is_found_by_its_ports(service: Any) -> None:
    for transport in ("tcp", "udp"):
        for port in service.ports(transport):
            basis = "syn" if transport == "tcp" else "fan_in"
            got = Labelled(flow(transport, "10.0.0.9:61000", f"10.0.0.8:{port}", basis=basis))
            assert (got.of(), got.grade()) == (f"other.{service.id}", ""), (transport, port)
            assert got.evidence()[-2:] == [f"service:{service.id}", f"port:{transport}/{port}"]


@pytest.mark.parametrize(
    ("group", "port", "component"),
    [
        ("239.255.255.250", 1900, "other.ssdp"),
        ("239.255.255.250", 3702, "other.ws_discovery"),
        ("224.0.0.251", 5353, "other.mdns"),
        ("224.0.0.252", 5355, "other.llmnr"),
        ("[ff02::fb]", 5353, "other.mdns"),
        ("[ff02::c]", 1900, "other.ssdp"),
    ],
)
def test_discovery_groups(group: str, port: int, component: str) -> None:
    source = "[fe80::9]:50000" if group.startswith("[") else "10.0.0.9:50000"
    got = Labelled(flow("udp", source, f"{group}:{port}"))
    assert got.of() == component
    assert got.evidence()[0] == f"group:{group.strip('[]')}"


def test_a_udp_answer_is_found_by_the_originators_port() -> None:
    got = Labelled(flow("udp", "10.0.0.9:53", "10.0.0.8:50000"))
    assert got.of() == "other.dns"
    assert got.labels.roles == {"10.0.0.9": ["DNS server"]}


def test_a_service_in_the_ephemeral_range_needs_its_role() -> None:
    client = flow("udp", "10.0.0.9:50000", "10.0.0.8:47808", basis="first_packet")
    peers = flow("udp", "10.0.0.9:47808", "10.0.0.8:47808", basis="first_packet")
    broadcast = flow("udp", "10.0.0.9:47808", "255.255.255.255:47808")
    got = Labelled(client, peers, broadcast)
    assert [got.of(row) for row in (client, peers, broadcast)] == ["unclassified.udp", "other.bacnet", "other.bacnet"]


def test_what_fits_nothing_is_unclassified_by_transport() -> None:
    tcp, udp = flow("tcp", "10.0.0.9:50000", "10.0.0.8:9999"), flow("udp", "10.0.0.9:50000", "10.0.0.8:9999")
    got = Labelled(tcp, udp)
    assert (got.of(tcp), got.of(udp)) == ("unclassified.tcp", "unclassified.udp")
    assert got.evidence(tcp) == []


@pytest.mark.parametrize(
    ("number", "component"),
    [(1, "icmp"), (2, "igmp"), (47, "gre"), (50, "esp"), (58, "icmpv6"), (89, "ospf"), (112, "vrrp"), (132, "sctp")],
)
def test_protocols_without_ports_are_network(number: int, component: str) -> None:
    row = flow("icmp", "10.0.0.9:0", "10.0.0.8:0") | {"proto": number}
    assert Labelled(row).of() == f"network.{component}"


def test_an_unknown_ip_protocol_is_unclassified() -> None:
    assert Labelled(flow("icmp", "10.0.0.9:0", "10.0.0.8:0") | {"proto": 200}).of() == "unclassified.ip"


def test_igmp_to_the_media_group_is_igmp() -> None:
    assert Labelled(flow("igmp", "10.0.0.9:0", "225.5.10.1:0")).of() == "network.igmp"


def test_frames_without_ip_have_components_too() -> None:
    got = Labelled(link_names=("arp", "lldp", "link"))
    assert [got.labels.components[i] for i in got.labels.link_component] == [
        "network.arp",
        "network.lldp",
        "unclassified.link",
    ]


@pytest.mark.parametrize(("transport", "to"), [("udp", "225.5.10.1:0"), ("udp", "10.0.0.1:0"), ("tcp", "10.0.0.1:0")])
def test_fragments_without_their_first_are_unclassified(transport: str, to: str) -> None:
    lone = flow(transport, "10.0.0.9:0", to, unresolved=True)
    got = Labelled(SERVER, lone)
    assert got.of(lone) == f"unclassified.{transport}"
    assert got.evidence(lone) == ["fragments:unresolved"]


def test_no_flows_at_all() -> None:
    got = Labelled()
    assert len(got.labels.component) == 0
    assert got.labels.roles == {}
    assert got.labels.evidence_lists() == []


def test_ipv6_hosts_support_each_other() -> None:
    server = flow("tcp", "[2001:db8::50]:50000", "[2001:db8::1]:8600")
    web = flow("tcp", "[2001:db8::51]:50000", "[2001:db8::1]:80")
    other = flow("tcp", "[2001:db8::51]:50000", "[2001:db8:1::1]:80")  # the same last half, another network
    got = Labelled(server, web, other)
    assert (got.of(web), got.of(other)) == ("digifort.web", "other.http")


def test_roles_of_hosts_are_bounded_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.matching.roles.MAX_ROLES", 3)
    got = Labelled(*(flow("tcp", f"10.0.0.{n}:50000", "10.0.0.1:8600") for n in range(10, 20)))
    assert sum(len(words) for words in got.labels.roles.values()) == 3
    assert got.labels.roles["10.0.0.1"] == ["Digifort server"]
    assert got.labels.roles_left_out == 8


def test_a_clients_own_component_comes_before_a_generic_one() -> None:
    asked = flow("udp", "10.0.0.60:50001", "10.0.0.3:1434")
    assert Labelled(DS_SERVER, asked).labels.roles["10.0.0.60"] == [
        "DS ControlPoint client",
        "Digital Sentry SQL client",
    ]


def test_an_endpoint_learned_over_ipv6_is_named_however_it_is_written() -> None:
    sql = flow("tcp", "[2001:db8::60]:50002", "[2001:db8::3]:49823")
    learned = Learned("digital_sentry.sql", "2001:0DB8:0:0:0:0:0:3", 49823, "tcp", "ssrp", instance="A\x1b[31m")
    got = Labelled(flow("tcp", "[2001:db8::60]:50000", "[2001:db8::2]:18772"), sql, learned=[learned])
    assert got.of(sql) == "digital_sentry.sql"
    assert "learned:ssrp" in got.evidence(sql)
    assert all(reason.isprintable() for reason in got.labels.reasons(1))


def test_an_address_that_is_none_teaches_nothing() -> None:
    odd = Learned("digital_sentry.sql", "not an address", 8600, "tcp", "ssrp")
    assert Labelled(SERVER, learned=[odd]).of() == "digifort.server"


# --- content ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "component"),
    [
        ("digifort_login", "digifort.server"),
        ("digifort_analytics", "digifort.analytics"),
        ("digifort_lpr", "digifort.lpr"),
        ("digifort_interface_path", "digifort.http_api"),
        ("digifort_http_realm", "digifort.web"),
        ("digifort_rtsp_realm", "digifort.rtsp"),
        ("digifort_rtsp_url", "digifort.rtsp"),
    ],
)
def test_content_that_proves_a_component_comes_before_every_port(mark: str, component: str) -> None:
    moved = flow("tcp", "10.0.0.50:50000", "10.0.0.1:443", evidence=[mark])
    got = Labelled(moved)
    assert (got.of(), got.grade()) == (component, "confirmed")
    assert got.evidence() == [f"content:{mark}"]
    (learned,) = got.labels.learned
    assert (learned.component, learned.address, learned.port, learned.by) == (component, "10.0.0.1", 443, "content")


def test_other_flows_to_an_endpoint_that_content_named_are_its_own() -> None:
    greeted = flow("tcp", "10.0.0.50:50000", "10.0.0.1:9600", evidence=["digifort_login"])
    midstream = flow("tcp", "10.0.0.51:50000", "10.0.0.1:9600", basis="first_packet")
    turned = flow("tcp", "10.0.0.1:9600", "10.0.0.52:50000", basis="first_packet")
    elsewhere = flow("tcp", "10.0.0.51:50000", "10.0.0.3:9600")
    got = Labelled(greeted, midstream, turned, elsewhere)
    for row in (midstream, turned):
        assert (got.of(row), got.grade(row)) == ("digifort.server", "confirmed")
        assert got.evidence(row)[0] == "learned:content"
    assert got.of(elsewhere) == "unclassified.tcp"


def test_content_on_the_port_itself_confirms_what_the_port_made_probable() -> None:
    frames = flow("tcp", "10.0.0.50:50000", "10.0.0.1:8610", evidence=["digifort_frame"])
    got = Labelled(frames)
    assert (got.of(), got.grade()) == ("digifort.analytics", "confirmed")
    assert got.evidence() == ["port:tcp/8610", "role:listener", "content:digifort_frame"]


def test_frames_without_a_known_name_are_probably_the_servers_on_another_port() -> None:
    frames = flow("tcp", "10.0.0.50:50000", "10.0.0.1:9999", evidence=["digifort_frame"])
    got = Labelled(frames)
    assert (got.of(), got.grade()) == ("digifort.server", "probable")


@pytest.mark.parametrize(
    ("port", "mark", "component"),
    [
        (8600, "http", "digifort.server"),
        (8610, "foreign", "digifort.analytics"),
        (8611, "rtsp", "digifort.lpr"),
        (8601, "http_elsewhere", "digifort.http_api"),
        (8601, "http_other_server", "digifort.http_api"),
        (18772, "digifort_frame", "digital_sentry.video"),
        (17772, "foreign", "digital_sentry.diagnostics"),
    ],
)
def test_content_can_contradict_a_port(port: int, mark: str, component: str) -> None:
    other = flow("tcp", "10.0.0.50:50001", f"10.0.0.1:{port}", evidence=[mark])
    got = Labelled(other)
    assert got.of() != component
    assert mark_sentence(mark) in got.candidates()[component]


def test_tls_on_a_digifort_servers_web_port_is_not_the_web_server() -> None:
    tls = flow("tcp", "10.0.0.50:50001", "10.0.0.1:80", evidence=["tls"])
    got = Labelled(SERVER, tls)
    assert got.of(tls) == "other.http"
    assert got.candidates(tls)["digifort.web"] == mark_sentence("tls")


def test_tls_on_a_digifort_port_does_not_speak_against_it() -> None:
    tls = flow("tcp", "10.0.0.50:50001", "10.0.0.1:8600", evidence=["tls"])
    got = Labelled(tls)
    assert (got.of(), got.grade()) == ("digifort.server", "probable")


def test_a_contradicted_range_is_no_candidate_at_a_host_without_the_product() -> None:
    stun = flow("udp", "10.0.0.50:50001", "10.0.0.9:3998", evidence=["stun"])
    got = Labelled(stun)
    assert got.of() == "other.stun"
    assert not got.candidates()


@pytest.mark.parametrize("port", [3702, 3478, 4500])
def test_rtp_outweighs_the_port_of_another_service_in_the_media_range(port: int) -> None:
    media = flow("udp", "10.0.0.9:6970", f"10.0.0.1:{port}", packets=(90, 0), evidence=["rtp"])
    got = Labelled(SERVER, media)
    assert (got.of(media), got.grade(media)) == ("digifort.media_input", "probable")


def test_rtp_without_a_digifort_host_is_only_rtp() -> None:
    media = flow("udp", "10.0.0.9:6970", "10.0.0.1:3000", packets=(90, 0), evidence=["rtp"])
    got = Labelled(media)
    assert (got.of(), got.grade()) == ("other.rtp", "")


def test_a_media_port_that_rtsp_named_is_confirmed_at_a_digifort_server_and_rtp_elsewhere() -> None:
    named = Learned("digifort.media_input", "10.0.0.1", 3702, "udp", "rtsp")
    media = flow("udp", "10.0.0.9:6970", "10.0.0.1:3702", packets=(90, 0))
    got = Labelled(SERVER, media, learned=[named])
    assert (got.of(media), got.grade(media)) == ("digifort.media_input", "confirmed")
    assert got.evidence(media)[0] == "learned:rtsp"
    alone = Labelled(media, learned=[named])
    assert alone.of(media) == "other.rtp"


def test_tds_at_a_digital_sentry_host_is_its_database_on_any_port() -> None:
    sql = flow("tcp", "10.0.0.60:50001", "10.0.0.7:50123", evidence=["tds_prelogin", "tds_reply"])
    got = Labelled(DS_SERVER, sql)
    assert (got.of(sql), got.grade(sql)) == ("digital_sentry.sql", "confirmed")
    alone = Labelled(sql)
    assert alone.of(sql) == "other.mssql"


@pytest.mark.parametrize(
    ("transport", "port", "mark", "component"),
    [
        ("tcp", 7000, "http", "other.http"),
        ("tcp", 7000, "tls", "other.tls"),
        ("tcp", 443, "tls", "other.https"),
        ("tcp", 8081, "rtsp", "other.rtsp"),
        ("tcp", 80, "rtsp", "other.rtsp"),
        ("udp", 7000, "rtp", "other.rtp"),
        ("udp", 7000, "mpegts", "other.mpegts"),
        ("udp", 7000, "stun", "other.stun"),
        ("udp", 7000, "quic", "other.quic"),
        ("udp", 7000, "ssdp", "other.ssdp"),
        ("tcp", 7000, "foreign", "unclassified.tcp"),
    ],
)
def test_what_remains_is_named_by_content(transport: str, port: int, mark: str, component: str) -> None:
    got = Labelled(flow(transport, "10.0.0.50:50001", f"10.0.0.1:{port}", evidence=[mark]))
    assert got.of() == component
    assert f"content:{mark}" in got.evidence()


def mark_sentence(code: str) -> str:
    return next(mark.sentence for mark in MARKS if mark.code == code)


# --- the user's own products -----------------------------------------------------------------------------------

ACME = """
[product]
id = "acme"
name = "Acme"
"""


def own(tmp_path: Path, *signatures: str, product: str = ACME) -> Any:
    path = tmp_path / "own.toml"
    text = product + "".join(f"\n[[signature]]\n{signature}\n" for signature in signatures)
    path.write_text(text, encoding="utf-8")
    return load_signatures([path])


def test_a_products_port_comes_before_a_curated_service(tmp_path: Path) -> None:
    known = own(tmp_path, 'id = "acme.gate"\nname = "Gate"\ntransport = "tcp"\nports = [8080]')
    got = Labelled(flow("tcp", "10.0.0.9:50000", "10.0.0.8:8080"), signatures=known)
    assert (got.of(), got.grade()) == ("acme.gate", "probable")
    assert got.labels.roles == {"10.0.0.8": ["Gate"], "10.0.0.9": ["Acme client"]}


def test_a_generic_port_of_a_users_product_needs_its_listener(tmp_path: Path) -> None:
    known = own(
        tmp_path,
        'id = "acme.gate"\nname = "Gate"\ntransport = "tcp"\nports = [7000]',
        'id = "acme.web"\nname = "Web"\ntransport = "tcp"\nports = [8080]\ngeneric = true',
    )
    gate = flow("tcp", "10.0.0.9:50000", "10.0.0.8:7000")
    web = flow("tcp", "10.0.0.9:50001", "10.0.0.8:8080")
    at_client = flow("tcp", "10.0.0.7:50001", "10.0.0.9:8080")
    got = Labelled(gate, web, at_client, signatures=known)
    assert (got.of(web), got.of(at_client)) == ("acme.web", "other.http")
    assert "host:acme.gate" in got.evidence(web)


SAME_PORT = 'id = "acme.gate"\nname = "Gate"\ntransport = "tcp"\nports = [8600]'


def test_two_signatures_that_fit_equally_well_own_nothing(tmp_path: Path) -> None:
    got = Labelled(SERVER, signatures=own(tmp_path, SAME_PORT))
    assert got.of() == "unclassified.tcp"
    assert set(got.candidates()) == {"digifort.server", "acme.gate"}
    assert "Another signature" in got.candidates()["acme.gate"]


def test_a_supported_signature_wins_over_an_unsupported_one(tmp_path: Path) -> None:
    api = flow("tcp", "10.0.0.50:50001", "10.0.0.1:8601")
    got = Labelled(SERVER, api, signatures=own(tmp_path, SAME_PORT))
    assert got.of(SERVER) == "digifort.server"
    assert "host:digifort.http_api" in got.evidence(SERVER)


def test_the_signature_with_fewer_ports_wins(tmp_path: Path) -> None:
    known = own(tmp_path, 'id = "acme.any"\nname = "Any"\ntransport = "tcp"\nports = ["8000-9000"]')
    inside, server = flow("tcp", "10.0.0.9:50000", "10.0.0.8:8700"), SERVER
    got = Labelled(inside, server, signatures=known)
    assert (got.of(inside), got.of(server)) == ("acme.any", "digifort.server")


def test_the_group_with_its_port_wins_over_the_group_alone(tmp_path: Path) -> None:
    known = own(
        tmp_path,
        'id = "acme.hello"\nname = "Hello"\ntransport = "udp"\nports = [7777]\ngroups = ["225.5.10.1"]',
    )
    hello, media = flow("udp", "10.0.0.1:40000", "225.5.10.1:7777"), flow("udp", "10.0.0.1:40000", "225.5.10.1:7778")
    got = Labelled(hello, media, signatures=known)
    assert (got.of(hello), got.of(media)) == ("acme.hello", "digifort.multicast_media")


def test_two_equal_groups_are_ambiguous(tmp_path: Path) -> None:
    known = own(
        tmp_path,
        'id = "acme.cast"\nname = "Cast"\ntransport = "udp"\nports = ["1025-65534"]\ngroups = ["225.5.10.1"]\n'
        'match = "group"',
    )
    got = Labelled(flow("udp", "10.0.0.1:40000", "225.5.10.1:7777"), signatures=known)
    assert got.of() == "unclassified.udp"
    assert set(got.candidates()) == {"digifort.multicast_media", "acme.cast"}


def test_the_order_of_files_never_matters(tmp_path: Path) -> None:
    first, second = tmp_path / "a.toml", tmp_path / "b.toml"
    first.write_text(ACME + "[[signature]]\n" + SAME_PORT, encoding="utf-8")
    second.write_text(
        '[product]\nid = "bolt"\nname = "Bolt"\n[[signature]]\nid = "bolt.any"\nname = "Any"\ntransport = "tcp"\n'
        'ports = ["8000-9000"]\n[[signature]]\nid = "bolt.one"\nname = "One"\ntransport = "tcp"\nports = [8601]\n',
        encoding="utf-8",
    )
    rows = [flow("tcp", "10.0.0.9:50000", f"10.0.0.8:{port}") for port in (8600, 8601, 8602, 8700)]
    answers = []
    for files in ([first, second], [second, first]):
        got = Labelled(*rows, signatures=load_signatures(files))
        answers.append(([got.of(row) for row in rows], [sorted(got.candidates(row)) for row in rows]))
    assert answers[0] == answers[1]


def test_an_overlay_moves_a_port_and_adds_a_media_group(tmp_path: Path) -> None:
    known = own(
        tmp_path,
        'id = "digifort.server"\nports = [9600]',
        'id = "digifort.multicast_media"\ngroups = ["225.5.10.1", "239.5.10.1"]',
        'id = "digital_sentry.audio"\nports = ["18778-18850"]',
        product="",
    )
    moved = flow("tcp", "10.0.0.50:50000", "10.0.0.1:9600")
    cast = flow("udp", "10.0.0.1:40000", "239.5.10.1:1026")
    audio = flow("udp", "10.0.0.2:40000", "10.0.0.60:18850", packets=(300, 0), payload=(9000, 0))
    got = Labelled(moved, SERVER, cast, audio, signatures=known)
    assert [got.of(row) for row in (moved, SERVER, cast, audio)] == [
        "digifort.server",
        "unclassified.tcp",
        "digifort.multicast_media",
        "digital_sentry.audio",
    ]
    assert service_ports(known)["tcp"][9600]
    assert not service_ports(known)["tcp"][8600]


# --- ports that tell the direction -----------------------------------------------------------------------------


def test_service_ports_are_exact_ports_only() -> None:
    ports = service_ports(built_in())
    assert all(ports["tcp"][[8600, 8601, 8610, 8611, 17772, 18772, 80, 443, 554, 22]])
    assert all(ports["udp"][[1434, 8660, 53, 3702, 5353]])
    assert not ports["udp"][[3000, 3456, 18778, 18799, 1025, 47808, 37008]].any()
    assert not ports["tcp"][[3456, 18778, 0]].any()
    assert ports["tcp"].shape == ports["udp"].shape == (65536,)


# --- laws ------------------------------------------------------------------------------------------------------

HOSTS = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.9", "225.5.10.1", "225.0.0.100", "239.255.255.250", "[fe80::1]"]
PORTS = [53, 80, 443, 554, 1434, 1900, 3456, 3702, 5000, 8600, 8601, 8610, 8650, 8660, 17772, 18772, 18778, 9999, 50000]


@st.composite
def any_flow(draw: st.DrawFn) -> dict[str, Any]:
    transport = draw(st.sampled_from(["tcp", "udp", "igmp"]))
    pick, port = st.sampled_from(HOSTS), st.sampled_from(PORTS)
    orig = draw(pick.filter(lambda host: not host.startswith("2")))
    resp = draw(pick.filter(lambda host: host.startswith("[") == orig.startswith("[")))
    counts = st.integers(0, 40)
    row = flow(
        transport,
        f"{orig}:{draw(port)}",
        f"{resp}:{draw(port)}",
        packets=(1 + draw(counts), draw(counts)),
        payload=(draw(counts) * 100, draw(counts) * 100),
        unresolved=draw(st.booleans()) and draw(st.booleans()),
        evidence=draw(st.lists(st.sampled_from([mark.code for mark in MARKS]), max_size=3)),
    )
    row["direction_basis"] = draw(st.integers(0, 7))
    row["tcp_state"] = draw(st.integers(1, len(TCP_STATES) - 1)) if transport == "tcp" else 0
    return row


@given(st.lists(any_flow(), max_size=25), st.randoms())
def test_every_flow_has_one_owner_whatever_the_order(rows: list[dict[str, Any]], random: Any) -> None:
    learned = [
        Learned("digital_sentry.sql", "10.0.0.3", 9999, "tcp", "ssrp"),
        Learned("digifort.media_input", "10.0.0.1", 3456, "udp", "rtsp"),
    ]
    got = Labelled(*rows, learned=learned)
    assert np.all(got.labels.component >= 0)
    assert got.labels.evidence_lists() == [got.evidence(index) for index in range(len(rows))]
    for index, row in enumerate(rows):
        component, grade = got.of(index), got.grade(index)
        assert (grade == "") == (component.partition(".")[0] in ("other", "network", "unclassified"))
        assert len(got.evidence(index)) == len(got.labels.reasons(index))
        assert component not in got.candidates(index)
        if row["proto"] == 6 and TCP_STATES[row["tcp_state"]] in ("attempt", "refused"):
            assert component == "unclassified.tcp"
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    again = Labelled(*(rows[index] for index in shuffled), learned=learned)
    for place, index in enumerate(shuffled):
        assert again.of(place) == got.of(index)
        assert again.grade(place) == got.grade(index)
        assert sorted(again.candidates(place)) == sorted(got.candidates(index))
    assert again.labels.roles == got.labels.roles


def test_attribution_of_many_flows_takes_no_loop_over_them() -> None:
    """A table of 100,000 flows costs a bounded number of array operations: no Python call per flow."""
    import sys

    rows = [SERVER, flow("tcp", "10.0.0.9:50000", "10.0.0.8:443"), flow("udp", "10.0.0.9:50000", "10.0.0.8:3456")]

    def calls(count: int) -> int:
        from flowtables import links, table

        from classifier.matching import attribute

        flows = table(rows * count)
        made = 0

        def trace(*_: Any) -> None:
            nonlocal made
            made += 1

        sys.setprofile(trace)
        try:
            attribute(flows, links(), built_in(), [])
        finally:
            sys.setprofile(None)
        return made

    calls(1)  # fills caches
    assert calls(3000) < calls(10) * 2
