"""The overlap rules C1 to C17, one by one: which component owns a flow when several could."""

from __future__ import annotations

import pytest
from flowtables import Labelled, flow

from classifier.matching import Learned

SERVER = flow("tcp", "10.0.0.50:50000", "10.0.0.1:8600")  # 10.0.0.1 is a Digifort server, 10.0.0.50 its client
DS_SERVER = flow("tcp", "10.0.0.60:50000", "10.0.0.2:18772")  # 10.0.0.2 is a Digital Sentry server
SQL = Learned("digital_sentry.sql", "10.0.0.3", 49823, "tcp", "ssrp", instance="DSSQL")


def camera(server_port: int, *, source: int = 40000, host: str = "10.0.0.1") -> dict:
    """A camera's one-way stream to a host."""
    return flow("udp", f"10.0.0.101:{source}", f"{host}:{server_port}", packets=(500, 0), payload=(600_000, 0))


# --- C1 --------------------------------------------------------------------------------------------------------


def test_c1_video_is_tcp_and_audio_is_udp() -> None:
    audio = flow("udp", "10.0.0.2:40000", "10.0.0.60:18778", packets=(300, 0), payload=(48000, 0))
    wrong_udp = flow("udp", "10.0.0.60:50001", "10.0.0.2:18772")
    wrong_tcp = flow("tcp", "10.0.0.60:50002", "10.0.0.2:18778")
    got = Labelled(DS_SERVER, audio, wrong_udp, wrong_tcp)
    assert got.of(DS_SERVER) == "digital_sentry.video"
    assert got.of(audio) == "digital_sentry.audio"
    assert got.of(wrong_udp) == "unclassified.udp"
    assert got.of(wrong_tcp) == "unclassified.tcp"
    assert not got.candidates(wrong_udp)
    assert not got.candidates(wrong_tcp)


@pytest.mark.parametrize("port", [18778, 18788, 18799])
def test_c1_an_audio_stream_alone_is_probable_never_confirmed(port: int) -> None:
    alone = flow("udp", "10.0.0.2:40000", f"10.0.0.60:{port}", packets=(300, 0), payload=(48000, 0))
    got = Labelled(alone)
    assert (got.of(), got.grade()) == ("digital_sentry.audio", "probable")
    assert "stream:one-way" in got.evidence()
    with_host = Labelled(DS_SERVER, alone)
    assert (with_host.of(alone), with_host.grade(alone)) == ("digital_sentry.audio", "probable")
    assert "host:digital_sentry.video" in with_host.evidence(alone)


@pytest.mark.parametrize("port", [18777, 18800])
def test_c1_audio_ends_at_its_bounds(port: int) -> None:
    got = Labelled(DS_SERVER, beside := flow("udp", "10.0.0.2:40000", f"10.0.0.60:{port}", packets=(300, 0)))
    assert got.of(beside) == "unclassified.udp"


def test_c1_a_few_packets_to_the_audio_range_are_a_candidate() -> None:
    scan = flow("udp", "10.0.0.9:40000", "10.0.0.60:18791", packets=(2, 0), payload=(40, 0))
    talk = flow("udp", "10.0.0.9:40000", "10.0.0.61:18791", packets=(90, 80), payload=(9000, 9000))
    got = Labelled(scan, talk)
    assert got.of(scan) == got.of(talk) == "unclassified.udp"
    assert "digital_sentry.audio" in got.candidates(scan)
    assert "digital_sentry.audio" in got.candidates(talk)


def test_audio_alone_supports_nothing_else() -> None:
    audio = flow("udp", "10.0.0.2:40000", "10.0.0.60:18778", packets=(300, 0), payload=(48000, 0))
    https = flow("tcp", "10.0.0.61:50000", "10.0.0.2:443")
    got = Labelled(audio, https)
    assert got.of(audio) == "digital_sentry.audio"
    assert got.of(https) == "other.https"


def test_audio_prefers_the_destination_and_says_which_side_it_was() -> None:
    into = flow("udp", "10.0.0.2:40000", "10.0.0.60:18778", packets=(300, 0), payload=(48000, 0))
    out_of = flow("udp", "10.0.0.2:18779", "10.0.0.60:40001", packets=(300, 0), payload=(48000, 0))
    both = flow("udp", "10.0.0.2:18780", "10.0.0.60:18781", packets=(300, 0), payload=(48000, 0))
    got = Labelled(DS_SERVER, into, out_of, both)
    assert {got.of(row) for row in (into, out_of, both)} == {"digital_sentry.audio"}
    assert {"port:udp/18778", "side:destination"} <= set(got.evidence(into))
    assert {"port:udp/18779", "side:source"} <= set(got.evidence(out_of))
    assert {"port:udp/18781", "side:destination"} <= set(got.evidence(both))
    assert got.labels.roles["10.0.0.2"] == ["Digital Sentry server"]
    assert got.labels.roles["10.0.0.60"] == ["DS ControlPoint client"]


# --- C2, C3, C4 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [3000, 3456, 4999])
def test_media_input_is_what_a_camera_sends_to_a_digifort_server(port: int) -> None:
    got = Labelled(SERVER, media := camera(port))
    assert (got.of(media), got.grade(media)) == ("digifort.media_input", "probable")
    assert {f"port:udp/{port}", "range:3000-5000", "role:receiver", "host:digifort.server"} <= set(got.evidence(media))
    assert got.labels.roles["10.0.0.101"] == ["camera"]


@pytest.mark.parametrize("port", [2999, 5001])
def test_media_input_ends_at_its_bounds(port: int) -> None:
    got = Labelled(SERVER, media := camera(port))
    assert got.of(media) == "unclassified.udp"


@pytest.mark.parametrize(
    ("port", "component"),
    [
        (3130, "other.icp"),
        (3283, "other.ard"),
        (3343, "other.ms_cluster"),
        (3389, "other.rdp"),
        (3478, "other.stun"),
        (3544, "other.teredo"),
        (3702, "other.ws_discovery"),
        (3784, "other.bfd"),
        (3785, "other.bfd"),
        (4784, "other.bfd"),
        (3799, "other.radius_dynauth"),
        (4341, "other.lisp"),
        (4342, "other.lisp"),
        (4500, "other.ipsec"),
        (4569, "other.iax"),
        (4739, "other.ipfix"),
        (4754, "other.gre_in_udp"),
        (4755, "other.gre_in_udp"),
        (4789, "other.vxlan"),
        (4790, "other.vxlan"),
        (4791, "other.rocev2"),
        (4840, "other.opcua"),
        (5000, "unclassified.udp"),
    ],
)
def test_c2_named_services_come_before_the_media_range(port: int, component: str) -> None:
    got = Labelled(SERVER, named := camera(port))
    assert got.of(named) == component
    assert "unless content proves media" in got.candidates(named)["digifort.media_input"]


@pytest.mark.parametrize(
    ("other", "component"),
    [
        (53, "other.dns"),
        (123, "other.ntp"),
        (161, "other.snmp"),
        (3702, "other.ws_discovery"),
        (777, "unclassified.udp"),
    ],
)
def test_c3_the_other_port_says_what_an_answer_to_the_media_range_is(other: int, component: str) -> None:
    answer = flow("udp", f"10.0.0.9:{other}", "10.0.0.1:3456", packets=(1, 1), payload=(200, 40))
    question = flow("udp", "10.0.0.1:3457", f"10.0.0.9:{other}", packets=(1, 1), payload=(40, 200))
    got = Labelled(SERVER, answer, question)
    assert got.of(answer) == got.of(question) == component
    assert not got.candidates(answer)


def test_c3_a_camera_that_sends_from_the_default_rtp_port_is_still_a_camera() -> None:
    got = Labelled(SERVER, media := camera(3456, source=5004))
    assert got.of(media) == "digifort.media_input"


def test_media_without_any_digifort_host_is_a_candidate() -> None:
    got = Labelled(media := camera(3456))
    assert (got.of(), got.grade()) == ("unclassified.udp", "")
    assert "Digifort server" in got.candidates(media)["digifort.media_input"]


def test_media_to_another_host_than_the_digifort_server_is_a_candidate() -> None:
    got = Labelled(SERVER, media := camera(3456, host="10.0.0.77"))
    assert got.of(media) == "unclassified.udp"
    assert "digifort.media_input" in got.candidates(media)


def test_media_that_the_server_sends_is_not_its_input() -> None:
    away = flow("udp", "10.0.0.1:3456", "10.0.0.77:40000", packets=(500, 0), payload=(600_000, 0))
    got = Labelled(SERVER, away)
    assert got.of(away) == "unclassified.udp"


def test_media_is_found_when_the_server_spoke_first() -> None:
    opened = flow("udp", "10.0.0.1:3456", "10.0.0.101:40000", packets=(1, 500), payload=(8, 600_000))
    got = Labelled(SERVER, opened)
    assert got.of(opened) == "digifort.media_input"
    assert got.labels.roles["10.0.0.101"] == ["camera"]


def test_media_to_an_analytics_host_is_not_the_servers() -> None:
    analytics = flow("tcp", "10.0.0.50:50000", "10.0.0.1:8610")
    got = Labelled(analytics, media := camera(3456))
    assert got.of(media) == "unclassified.udp"


def test_c4_rtcp_beside_the_stream_is_media_input_too() -> None:
    rtp = camera(3456, source=40000)
    reports = flow("udp", "10.0.0.1:3457", "10.0.0.101:40001", packets=(20, 0), payload=(1000, 0))
    stranger = flow("udp", "10.0.0.1:3459", "10.0.0.101:40003", packets=(20, 0), payload=(1000, 0))
    got = Labelled(SERVER, rtp, reports, stranger)
    assert got.of(reports) == "digifort.media_input"
    assert "rtcp:port+1" in got.evidence(reports)
    assert got.of(stranger) == "unclassified.udp"


# --- C5, C6 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [1025, 1434, 1900, 3702, 5353, 8650, 8660, 65534])
def test_c5_the_media_group_is_matched_by_address_whatever_the_port(port: int) -> None:
    got = Labelled(flow("udp", "10.0.0.1:40000", f"225.5.10.1:{port}"))
    assert (got.of(), got.grade()) == ("digifort.multicast_media", "probable")
    assert got.evidence() == ["group:225.5.10.1", f"port:udp/{port}"]
    assert got.labels.roles == {"10.0.0.1": ["Digifort multicast sender"]}


def test_c5_announcements_need_address_and_port() -> None:
    announcement = flow("udp", "10.0.0.1:40000", "225.0.0.100:8650")
    other_port = flow("udp", "10.0.0.1:40000", "225.0.0.100:9001")
    other_address = flow("udp", "10.0.0.1:40000", "239.1.2.3:8650")
    unicast = flow("udp", "10.0.0.1:40000", "10.0.0.9:8650")
    got = Labelled(announcement, other_port, other_address, unicast)
    assert (got.of(announcement), got.grade(announcement)) == ("digifort.announcement", "probable")
    assert [got.of(row) for row in (other_port, other_address, unicast)] == ["unclassified.udp"] * 3
    assert "unknown user of group 225.0.0.100" in got.candidates(other_port)["digifort.announcement"]


@pytest.mark.parametrize("port", [1, 80, 1024, 65535])
def test_c6_an_unexpected_port_on_the_media_group_is_kept_and_said(port: int) -> None:
    got = Labelled(flow("udp", "10.0.0.1:40000", f"225.5.10.1:{port}"))
    assert (got.of(), got.grade()) == ("digifort.multicast_media", "probable")
    assert "unexpected-port" in got.evidence()


def test_another_group_is_not_the_media_input_of_a_server() -> None:
    got = Labelled(SERVER, flow("udp", "10.0.0.1:40000", "239.1.2.3:3456"))
    assert got.of(1) == "unclassified.udp"


# --- C7 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [8600, 8601, 8610, 8611, 17772, 18772])
def test_c7_a_client_port_is_no_server(port: int) -> None:
    web = flow("tcp", f"10.0.0.9:{port}", "203.0.113.7:443")
    unknown = flow("tcp", f"10.0.0.9:{port}", "203.0.113.8:9999")
    got = Labelled(web, unknown)
    assert got.of(web) == "other.https"
    assert got.of(unknown) == "unclassified.tcp"
    assert "10.0.0.9" not in got.labels.roles


def test_c7_without_handshake_a_known_port_on_the_other_side_leaves_it_open() -> None:
    both = flow("tcp", "10.0.0.9:18772", "10.0.0.8:8600", basis="first_packet")
    got = Labelled(both)
    assert got.of() == "unclassified.tcp"
    assert "services listen on both ports" in got.candidates()["digifort.server"]


def test_c7_without_handshake_who_meets_many_is_the_server() -> None:
    turned = flow("tcp", "10.0.0.8:9000", "10.0.0.9:8600", basis="service_port")
    others = [flow("tcp", f"10.0.0.{n}:50000", "10.0.0.8:9000", basis="fan_in") for n in (20, 21)]
    got = Labelled(turned, *others)
    assert got.of(turned) == "unclassified.tcp"
    assert "looks like the server" in got.candidates(turned)["digifort.server"]
    alone = Labelled(turned)
    assert alone.of() == "digifort.server"
    assert "role:service_port" in alone.evidence()


def test_c7_a_doubtful_direction_is_settled_by_what_the_host_does_elsewhere() -> None:
    both = flow("tcp", "10.0.0.9:18772", "10.0.0.1:8600", basis="first_packet")
    got = Labelled(SERVER, both)
    assert got.of(both) == "digifort.server"
    assert "host:digifort.server" in got.evidence(both)


# --- C8, C9 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("port", "component"), [(8600, "other.asterix"), (8610, "other.canon_bjnp"), (8611, "other.canon_bjnp")]
)
def test_c8_c9_udp_on_digifort_tcp_ports_is_not_digifort(port: int, component: str) -> None:
    got = Labelled(SERVER, flow("udp", "10.0.0.9:50000", f"10.0.0.1:{port}"))
    assert got.of(1) == component


# --- C10, C11 --------------------------------------------------------------------------------------------------


def test_c10_port_80_is_digifort_web_only_at_a_digifort_host() -> None:
    at_server = flow("tcp", "10.0.0.70:50000", "10.0.0.1:80")
    elsewhere = flow("tcp", "10.0.0.70:50001", "203.0.113.7:80")
    got = Labelled(SERVER, at_server, elsewhere)
    assert (got.of(at_server), got.grade(at_server)) == ("digifort.web", "probable")
    assert {"port:tcp/80", "role:listener", "host:digifort.server"} <= set(got.evidence(at_server))
    assert (got.of(elsewhere), got.grade(elsewhere)) == ("other.http", "")
    assert "digifort.web" in got.candidates(elsewhere)


def test_c10_what_the_server_opens_to_port_80_is_camera_http() -> None:
    to_camera = flow("tcp", "10.0.0.1:50000", "10.0.0.101:80")
    got = Labelled(SERVER, camera(3456), to_camera)
    assert got.of(to_camera) == "other.http"
    assert "opened this connection" in got.candidates(to_camera)["digifort.web"]


def test_c10_a_client_of_digifort_is_no_digifort_web_server() -> None:
    got = Labelled(SERVER, at_client := flow("tcp", "10.0.0.70:50000", "10.0.0.50:80"))
    assert got.of(at_client) == "other.http"


@pytest.mark.parametrize("anchor", ["10.0.0.2:18772", "10.0.0.2:17772"])
def test_c11_port_443_is_pelco_mobile_only_at_a_digital_sentry_server(anchor: str) -> None:
    mobile = flow("tcp", "10.0.0.70:50000", "10.0.0.2:443")
    elsewhere = flow("tcp", "10.0.0.70:50001", "203.0.113.7:443")
    at_client = flow("tcp", "10.0.0.70:50002", "10.0.0.60:443")
    got = Labelled(flow("tcp", "10.0.0.60:50000", anchor), mobile, elsewhere, at_client)
    assert (got.of(mobile), got.grade(mobile)) == ("digital_sentry.mobile", "probable")
    assert got.of(elsewhere) == got.of(at_client) == "other.https"
    assert "digital_sentry.mobile" in got.candidates(elsewhere)


def test_c11_a_digifort_server_does_not_support_pelco_mobile() -> None:
    got = Labelled(SERVER, https := flow("tcp", "10.0.0.70:50000", "10.0.0.1:443"))
    assert got.of(https) == "other.https"


# --- C12, C13, C14 ---------------------------------------------------------------------------------------------


def test_c12_ssrp_without_digital_sentry_is_any_sql_server() -> None:
    got = Labelled(flow("udp", "10.0.0.60:50001", "10.0.0.3:1434"))
    assert (got.of(), got.grade()) == ("other.ssrp", "")
    assert "digital_sentry.sql_discovery" in got.candidates()


def test_c12_an_off_box_sql_host_asked_by_a_controlpoint_client_counts() -> None:
    asked = flow("udp", "10.0.0.60:50001", "10.0.0.3:1434")
    broadcast = flow("udp", "10.0.0.60:50002", "255.255.255.255:1434", packets=(1, 0), payload=(1, 0))
    got = Labelled(DS_SERVER, asked, broadcast)
    assert (got.of(asked), got.grade(asked)) == ("digital_sentry.sql_discovery", "probable")
    assert got.of(broadcast) == "digital_sentry.sql_discovery"
    assert "host:digital_sentry.video" in got.evidence(asked)
    assert got.labels.roles["10.0.0.3"] == ["Digital Sentry SQL host"]
    assert "255.255.255.255" not in got.labels.roles


def test_c12_support_does_not_spread_through_another_client() -> None:
    asked = flow("udp", "10.0.0.60:50001", "10.0.0.3:1434")
    admin = flow("udp", "10.0.0.90:50001", "10.0.0.3:1434")  # someone else asks the same SQL host
    unrelated = flow("udp", "10.0.0.90:50002", "10.0.0.4:1434")  # and an unrelated one
    got = Labelled(DS_SERVER, asked, admin, unrelated)
    assert got.of(admin) == "digital_sentry.sql_discovery"
    assert got.of(unrelated) == "other.ssrp"


def test_c13_1434_tcp_is_the_administrator_connection() -> None:
    got = Labelled(DS_SERVER, dac := flow("tcp", "10.0.0.60:50001", "10.0.0.2:1434"))
    assert got.of(dac) == "other.mssql_dac"
    assert not got.candidates(dac)


def test_c14_a_learned_endpoint_beats_every_port() -> None:
    asked = flow("udp", "10.0.0.60:50001", "10.0.0.3:1434")
    on_fixed = flow("tcp", "10.0.0.60:50002", "10.0.0.3:8600")
    learned = Learned("digital_sentry.sql", "10.0.0.3", 8600, "tcp", "ssrp", instance="DSSQL")
    got = Labelled(DS_SERVER, asked, on_fixed, learned=[learned])
    assert (got.of(on_fixed), got.grade(on_fixed)) == ("digital_sentry.sql", "confirmed")
    assert "learned:ssrp" in got.evidence(on_fixed)
    assert not got.candidates(on_fixed)


def test_c14_a_learned_sql_port_is_digital_sentrys_only_with_a_digital_sentry_host() -> None:
    sql = flow("tcp", "10.0.0.60:50002", "10.0.0.3:49823")
    alone = Labelled(sql, learned=[SQL])
    assert (alone.of(), alone.grade()) == ("other.mssql", "")
    assert "digital_sentry.sql" in alone.candidates()
    with_client = Labelled(DS_SERVER, sql, learned=[SQL])
    assert (with_client.of(sql), with_client.grade(sql)) == ("digital_sentry.sql", "confirmed")
    assert "host:digital_sentry.video" in with_client.evidence(sql)


def test_a_sql_server_on_its_registered_port_is_a_candidate_beside_digital_sentry() -> None:
    sql = flow("tcp", "10.0.0.60:50002", "10.0.0.3:1433")
    unrelated = flow("tcp", "10.0.0.90:50002", "10.0.0.3:1433")
    got = Labelled(DS_SERVER, sql, unrelated)
    assert got.of(sql) == got.of(unrelated) == "other.mssql"
    assert "content" in got.candidates(sql)["digital_sentry.sql"]
    assert not got.candidates(unrelated)


def test_a_sql_flow_of_another_client_follows_the_endpoint() -> None:
    asked = flow("udp", "10.0.0.60:50001", "10.0.0.3:1434")
    other = flow("tcp", "10.0.0.90:50002", "10.0.0.3:49823")
    got = Labelled(DS_SERVER, asked, other, learned=[SQL])
    assert got.of(other) == "digital_sentry.sql"
    assert got.labels.roles["10.0.0.3"] == ["Digital Sentry SQL host"]


def test_a_learned_port_is_found_when_no_handshake_told_the_sides() -> None:
    turned = flow("tcp", "10.0.0.3:49823", "10.0.0.60:50002", basis="first_packet")
    got = Labelled(DS_SERVER, turned, learned=[SQL])
    assert got.of(turned) == "digital_sentry.sql"
    syn = flow("tcp", "10.0.0.3:49823", "10.0.0.60:50002")
    assert Labelled(DS_SERVER, syn, learned=[SQL]).of(syn) == "unclassified.tcp"


# --- C15 -------------------------------------------------------------------------------------------------------


def test_c15_8660_needs_a_host_that_takes_part_in_digifort() -> None:
    search = flow("udp", "10.0.0.50:8660", "239.255.255.250:1900", packets=(3, 0), payload=(400, 0))
    answer = flow("udp", "10.0.0.101:1900", "10.0.0.50:8660", packets=(1, 0), payload=(300, 0))
    other_port = flow("udp", "10.0.0.102:49152", "10.0.0.50:8660", packets=(1, 0), payload=(300, 0))
    plain = flow("udp", "10.0.0.90:50000", "239.255.255.250:1900", packets=(3, 0), payload=(400, 0))
    got = Labelled(SERVER, search, answer, other_port, plain)
    assert [got.of(row) for row in (search, answer, other_port)] == ["digifort.upnp_discovery"] * 3
    assert got.of(plain) == "other.ssdp"
    assert "Digifort Administration Client" in got.labels.roles["10.0.0.50"]
    alone = Labelled(search, answer, other_port)
    assert [alone.of(row) for row in (search, answer)] == ["other.ssdp"] * 2
    assert alone.of(other_port) == "unclassified.udp"
    assert all("digifort.upnp_discovery" in alone.candidates(row) for row in (search, answer, other_port))


# --- C16, C17 --------------------------------------------------------------------------------------------------


def test_c16_one_host_can_have_several_components() -> None:
    rows = [flow("tcp", "10.0.0.50:50000", f"10.0.0.1:{port}") for port in (8600, 8601, 8610, 8611, 80)]
    got = Labelled(*rows)
    assert [got.of(row) for row in rows] == [
        "digifort.server",
        "digifort.http_api",
        "digifort.analytics",
        "digifort.lpr",
        "digifort.web",
    ]
    assert got.labels.roles["10.0.0.1"] == [
        "Digifort server",
        "Digifort HTTP API",
        "Digifort web server",
        "Digifort Analytics server",
        "Digifort LPR server",
    ]
    assert "host:digifort.http_api" in got.evidence(rows[0])


def test_c17_one_host_can_be_both_products() -> None:
    video = flow("tcp", "10.0.0.60:50000", "10.0.0.1:18772")
    got = Labelled(SERVER, video)
    assert got.of(video) == "digital_sentry.video"
    assert got.labels.roles["10.0.0.1"] == ["Digifort server", "Digital Sentry server"]
