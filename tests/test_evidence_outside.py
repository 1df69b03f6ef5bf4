"""Payload evidence from outside: a capture in, the labels out."""

from __future__ import annotations

import base64
import csv as csv_module
import io
import itertools
import json
import random
from pathlib import Path

import payload_vectors as vectors
import pytest
from payload_vectors import SSRP_HEAD, hexed, ssrp
from test_hostile_text import CONTROL, FORMULA, NASTY, outputs
from wires import CAMERA, CLIENT, OTHER, SERVER, Wire, flow, learned, owner

from captures.makers import payloads as made
from classifier import Report, classify
from classifier.columns import TABLES
from classifier.limits import Limits

RNG = random.Random(4)
LOGIN = hexed("d151f027 0000003b 01 05 4c4f47494e 00000030 01 01000000 05 4e4f4e4345 08 20000000") + b"0" * 32
API = made.http_request("GET", "/interface/cameras/getcameras", "vms")
REFUSAL = made.digifort_refusal()
CAMERA_REFUSAL = REFUSAL.replace(b"Servidor HTTP Digifort", b"IP Camera")


# Digifort's own frames.


def test_a_greeting_on_a_moved_port_names_the_server_there_and_what_goes_on_there_already(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(OTHER, 50001, SERVER, 9600, handshake=False).client(b"q" * 9).server(b"z" * 100)
    wire.tcp(CLIENT, 50000, SERVER, 9600).server(LOGIN).client(b"x" * 20)
    report = wire.report(tmp_path)
    assert learned(report) == [("digifort.server", SERVER, 9600, "content")]
    rows = {row["orig_address"]: row for row in report.rows("flows")}
    assert {(row["component"], row["grade"]) for row in rows.values()} == {("digifort.server", "confirmed")}
    assert "content:digifort_login" in rows[CLIENT]["evidence"]
    assert "learned:content" in rows[OTHER]["evidence"]


@pytest.mark.parametrize(
    ("component", "port", "greeting", "version"),
    [
        ("digifort.analytics", 9610, made.digifort_analytics_version(), "DIGIFORT 6.5.0.0"),
        ("digifort.analytics", 9610, made.digifort_ping("CMD_ANALYTICS_PING"), ""),
        ("digifort.lpr", 9611, made.digifort_ping("CMD_LPR_PING"), ""),
    ],
)
def test_each_server_greets_with_frames_of_its_own(
    tmp_path: Path, component: str, port: int, greeting: bytes, version: str
) -> None:
    wire = Wire()
    wire.tcp(SERVER, 50000, OTHER, port).server(greeting)
    report = wire.report(tmp_path)
    assert owner(report, port) == (component, "confirmed")
    (row,) = report.rows("learned")
    assert (row["component"], row["port"], row["version"]) == (component, port, version)


def test_the_same_bytes_from_the_client_prove_nothing(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 9600).client(LOGIN).server(b"no thanks\n")
    wire.tcp(CLIENT, 50001, SERVER, 9601, handshake=False).client(LOGIN)
    report = wire.report(tmp_path)
    assert owner(report, 9600) == owner(report, 9601) == ("unclassified.tcp", "")
    assert learned(report) == []


@pytest.mark.parametrize("first", [0, 1])
def test_where_both_sides_send_frames_and_nothing_tells_them_apart_no_host_is_a_server(
    tmp_path: Path, first: int
) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, 50000, SERVER, 40000, handshake=False)
    for side in (first, 1 - first):
        talk.segment(side, 0x18, LOGIN)
    report = wire.report(tmp_path)
    assert [row["component"] for row in report.rows("flows")] == ["unclassified.tcp"]
    assert learned(report) == []


@pytest.mark.parametrize("greeting", [b"\0" + LOGIN, LOGIN[:3], LOGIN[:3] + b"\x28" + LOGIN[4:], LOGIN[:4] + bytes(70)])
def test_what_only_looks_like_a_greeting_proves_nothing(tmp_path: Path, greeting: bytes) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 9600).server(greeting)
    report = wire.report(tmp_path)
    assert owner(report, 9600)[0] == "unclassified.tcp"
    assert learned(report) == []


def test_a_greeting_that_the_snaplen_cut_behind_its_magic_is_at_most_probable(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 9600).server(LOGIN)
    report = classify(wire.write(tmp_path / "cut.pcap", snaplen=54 + 8))
    assert owner(report, 9600) == ("digifort.server", "probable")


def test_http_on_the_servers_port_is_not_the_server(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, OTHER, 8600).client(made.http_request("GET", "/", "x")).server(CAMERA_REFUSAL)
    assert owner(wire.report(tmp_path), 8600)[0] == "other.http"


# Its HTTP and RTSP.


def test_a_path_of_the_api_in_lower_case_names_it_on_any_port(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 9601).client(API).server(made.http_reply("200 OK", b"{}", "text/plain"))
    report = wire.report(tmp_path)
    assert owner(report, 9601) == ("digifort.http_api", "confirmed")
    assert learned(report) == [("digifort.http_api", SERVER, 9601, "content")]


def test_a_proxy_that_is_asked_for_the_api_is_not_the_api(tmp_path: Path) -> None:
    wire = Wire()
    request = b"GET http://vms:8601/Interface/Cameras HTTP/1.1\r\nHost: vms\r\n\r\n"
    wire.tcp(CLIENT, 50000, OTHER, 3129).client(request)
    report = wire.report(tmp_path)
    assert owner(report, 3129) == ("other.http", "")
    assert learned(report) == []


def test_the_hundredth_request_of_a_connection_still_names_the_api(tmp_path: Path) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, 50000, SERVER, 9601)
    for number in range(100):
        talk.client(made.http_request("GET", f"/page{number}", "vms"))
    talk.client(API)
    assert owner(wire.report(tmp_path), 9601) == ("digifort.http_api", "confirmed")


def test_the_realm_names_the_web_server_and_another_realm_does_not(tmp_path: Path) -> None:
    wire = Wire()
    for port, refusal in ((9080, REFUSAL), (9081, CAMERA_REFUSAL)):
        wire.tcp(CLIENT, 50000 + port, SERVER, port).client(made.http_request("GET", "/", "vms")).server(refusal)
    report = wire.report(tmp_path)
    assert owner(report, 9080) == ("digifort.web", "confirmed")
    assert owner(report, 9081) == ("other.http", "")


def test_a_server_that_reads_a_camera_by_http_serves_no_web(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.tcp(SERVER, 50001, CAMERA, 80).client(made.http_request("GET", "/jpg", "cam")).server(CAMERA_REFUSAL)
    assert owner(wire.report(tmp_path), 80) == ("other.http", "")


def media(wire: Wire, port: int, *, count: int = 30, source: str = CAMERA, target: str = SERVER) -> None:
    for number in range(count):
        wire.udp(source, 50000, target, port, vectors.rtp(65520 + number, 90 * number))


TRANSPORT = "RTP/AVP;unicast;client_port={0}-{1};server_port=50000-50001"


def session(
    wire: Wire, port: int, *, pieces: int = 1, server: str = CAMERA, client: str = SERVER, multicast: str = ""
) -> None:
    """A client asks for a stream and says where it should go."""
    talk = wire.tcp(client, 51000, server, 554)
    url = f"rtsp://{server}/live"
    description = made.sdp(server, 96, "H264")
    transport = TRANSPORT.format(port, port + 1)
    if multicast:
        transport = f"RTP/AVP;multicast;destination={multicast};port={port}-{port + 1};ttl=16"
    talk.client(made.rtsp_request("DESCRIBE", url, 1), pieces=pieces)
    talk.server(made.rtsp_reply(1, body=description), pieces=pieces)
    wanted = transport.partition(";server_port")[0] if not multicast else "RTP/AVP;multicast"
    talk.client(made.rtsp_request("SETUP", f"{url}/trackID=1", 2, f"Transport: {wanted}"), pieces=pieces)
    talk.server(made.rtsp_reply(2, f"Transport: {transport}", "Session: 77"), pieces=pieces)
    talk.client(made.rtsp_request("PLAY", url, 3, "Session: 77"), pieces=pieces)
    talk.server(made.rtsp_reply(3, "Session: 77"), pieces=pieces)


@pytest.mark.parametrize("pieces", [1, 2, 3])
def test_media_that_rtsp_sets_up_for_a_digifort_server_are_its_input_on_an_excluded_port_too(
    tmp_path: Path, pieces: int
) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    session(wire, 3478, pieces=pieces)  # STUN's port: the range leaves it out
    media(wire, 3478)
    report = wire.report(tmp_path)
    assert owner(report, 3478) == ("digifort.media_input", "confirmed")
    assert ("digifort.media_input", SERVER, 3478, "rtsp") in learned(report)
    assert owner(report, 554) == ("other.rtsp", "")


def test_a_conversation_over_several_files_is_one(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    session(wire, 3478, pieces=3)
    media(wire, 3478)
    cuts = [*range(0, len(wire.frames), 7), len(wire.frames)]
    files = [wire.write(tmp_path / f"{a}.pcap", a, b) for a, b in itertools.pairwise(cuts)]
    for order in (files, files[::-1]):
        report = classify(order)
        assert owner(report, 3478) == ("digifort.media_input", "confirmed")


def test_without_a_digifort_server_the_same_media_are_nobodys(tmp_path: Path) -> None:
    wire = Wire()
    session(wire, 3456)
    media(wire, 3456)
    report = wire.report(tmp_path)
    assert owner(report, 3456) == ("other.rtp", "")


def test_an_excluded_port_at_a_digifort_server_is_its_input_only_with_rtp_on_it(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    media(wire, 3478)
    media(wire, 3456)
    for _ in range(30):
        wire.udp(CAMERA, 50000, SERVER, 4500, bytes(200))
    report = wire.report(tmp_path)
    assert owner(report, 4500)[0] == "other.ipsec"
    assert owner(report, 3456) == ("digifort.media_input", "probable")
    assert owner(report, 3478) == ("digifort.media_input", "probable")


def test_stun_in_the_media_range_is_not_media(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    for _ in range(9):
        wire.udp(CAMERA, 50000, SERVER, 3456, vectors.STUN_REQUEST)
    assert owner(wire.report(tmp_path), 3456) == ("other.stun", "")


def test_a_group_that_rtsp_names_is_that_sessions_media(tmp_path: Path) -> None:
    wire = Wire()
    session(wire, 5004, multicast="239.1.2.3")
    media(wire, 5004, target="239.1.2.3")
    report = wire.report(tmp_path)
    assert ("other.rtp", "239.1.2.3", 5004, "rtsp") in learned(report)
    row = flow(report, 5004)
    assert row["component"] == "other.rtp"
    assert "learned:rtsp" in row["evidence"]


def test_the_realm_of_digiforts_rtsp_server_names_it_and_its_media(tmp_path: Path) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, 51000, SERVER, 10554)
    talk.client(made.rtsp_request("DESCRIBE", f"rtsp://{SERVER}/interface/cameras/media?camera=1", 1))
    talk.server(made.rtsp_reply(1, body=made.sdp(SERVER, 96, "H264", name="Digifort Media"), status="200 OK"))
    report = wire.report(tmp_path)
    assert owner(report, 10554) == ("digifort.rtsp", "confirmed")
    assert ("digifort.rtsp", SERVER, 10554, "content") in learned(report)


def test_interleaved_media_do_not_hide_what_the_connection_says_later(tmp_path: Path) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, 51000, SERVER, 10554)
    talk.client(made.rtsp_request("OPTIONS", f"rtsp://{SERVER}/", 1)).server(made.rtsp_reply(1))
    for number in range(60):
        talk.server(b"$\0" + (200).to_bytes(2, "big") + vectors.rtp(number, body=bytes(188)))
    talk.client(made.rtsp_request("DESCRIBE", f"rtsp://{SERVER}/x", 2))
    challenge = 'WWW-Authenticate: Basic realm="Digifort RTSP Server"'
    talk.server(made.rtsp_reply(2, challenge, status="401 Unauthorized"))
    assert owner(wire.report(tmp_path), 10554) == ("digifort.rtsp", "confirmed")


# SQL Server.


def sql(wire: Wire, port: int) -> None:
    talk = wire.tcp(CLIENT, 50100 + port % 100, OTHER, port)
    talk.client(vectors.PRELOGIN_NAMED).server(vectors.PRELOGIN_SERVER)


def test_tds_on_a_dynamic_port_is_sql_server_and_with_a_digital_sentry_host_its_database(tmp_path: Path) -> None:
    wire = Wire()
    sql(wire, 50234)
    assert owner(wire.report(tmp_path), 50234)[0] == "other.mssql"
    wire.tcp(CLIENT, 50001, OTHER, 18772).client(b"hello").server(b"hello")
    report = wire.report(tmp_path)
    assert owner(report, 50234) == ("digital_sentry.sql", "confirmed")


def test_a_sql_endpoint_that_content_names_has_the_instance_asked_for_and_the_servers_version(tmp_path: Path) -> None:
    wire = Wire()
    sql(wire, 50234)
    wire.tcp(CLIENT, 50001, OTHER, 18772).client(b"hello").server(b"hello")
    rows = [row for row in wire.report(tmp_path).rows("learned") if row["port"] == 50234]
    assert [(row["instance"], row["version"]) for row in rows] == [("DSSQL", "15.0.2000")]


def test_an_ssrp_reply_names_the_port_of_flows_before_and_after_it(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50001, OTHER, 18772).client(b"hello").server(b"hello")
    wire.tcp(CLIENT, 50002, OTHER, 50234, handshake=False).client(b"\x17\x03" + bytes(40)).server(bytes(50))
    wire.udp(CLIENT, 50003, OTHER, 1434, b"\x04DSSQL\0")
    wire.udp(OTHER, 1434, CLIENT, 50003, ssrp(SSRP_HEAD + b"tcp;50234;;"))
    wire.tcp(CLIENT, 50004, OTHER, 50234).client(b"x" * 50)
    report = wire.report(tmp_path)
    assert ("digital_sentry.sql", OTHER, 50234, "ssrp") in learned(report)
    found = [(row["component"], row["grade"]) for row in report.rows("flows") if row["resp_port"] == 50234]
    assert found == [("digital_sentry.sql", "confirmed")] * 2
    assert owner(report, 1434) == ("digital_sentry.sql_discovery", "confirmed")


def test_two_answers_for_one_instance_are_both_kept(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50001, OTHER, 18772).client(b"hello").server(b"hello")
    for port in (50234, 50999):
        wire.udp(CLIENT, 50003, OTHER, 1434, b"\x04A\0")
        wire.udp(OTHER, 1434, CLIENT, 50003, ssrp(SSRP_HEAD + b"tcp;%d;;" % port))
    report = wire.report(tmp_path)
    rows = [row for row in report.rows("learned") if row["component"] == "digital_sentry.sql"]
    assert [row["port"] for row in rows] == [50234, 50999]
    assert rows[0]["first_ns"] < rows[1]["first_ns"]


def test_ssrp_without_a_digital_sentry_host_is_anybodys(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(CLIENT, 50003, OTHER, 1434, b"\x02")
    wire.udp(OTHER, 1434, CLIENT, 50003, ssrp(SSRP_HEAD + b"tcp;50234;;"))
    report = wire.report(tmp_path)
    assert owner(report, 1434)[0] == "other.ssrp"


# What is not the products'.


def test_a_sip_notification_to_the_discovery_port_is_no_upnp(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.udp(CAMERA, 5060, CLIENT, 8660, b"NOTIFY sip:a@b SIP/2.0\r\nCSeq: 1 NOTIFY\r\n\r\n")
    wire.udp(OTHER, 1900, CLIENT, 8660, vectors.SSDP_REPLY)
    report = wire.report(tmp_path)
    grades = {row["orig_address"]: (row["component"], row["grade"]) for row in report.rows("flows")}
    assert grades[OTHER] == ("digifort.upnp_discovery", "confirmed")
    assert grades[CAMERA][1] != "confirmed"


def test_ws_discovery_and_tls_are_named_by_what_they_say(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(SERVER, 50000, CAMERA, 7702, made.onvif_probe("1"))
    wire.udp(CAMERA, 7702, SERVER, 50000, made.onvif_match("2", "1", CAMERA))
    wire.tcp(CLIENT, 50001, OTHER, 44300).client(made.tls_client_hello(RNG, "updates.example.org"))
    report = wire.report(tmp_path)
    assert owner(report, 7702) == ("other.ws_discovery", "")
    assert "content:onvif" in flow(report, 7702)["evidence"]
    assert owner(report, 44300) == ("other.tls", "")
    explained = report.explain(next(i for i, row in enumerate(report.rows("flows")) if row["resp_port"] == 44300))
    assert "updates.example.org" in explained


SECRET, USER = "Xyzzy-4711-geheim", "operador77"


def test_credentials_are_seen_and_never_come_out(tmp_path: Path) -> None:
    basic = base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8601).client(
        made.http_request("GET", f"/Interface/Cameras/GetStatus?AuthUser={USER}&AuthPass={SECRET}", "vms")
    ).server(made.http_reply("200 OK", b"{}", "text/plain", f"Set-Cookie: session={SECRET}"))
    wire.tcp(CLIENT, 50001, SERVER, 80).client(
        made.http_request("GET", "/", f"{USER}:{SECRET}@vms", f"Authorization: Basic {basic}")
    ).server(REFUSAL)
    talk = wire.tcp(SERVER, 50002, CAMERA, 554)
    talk.client(
        made.rtsp_request("DESCRIBE", f"rtsp://{USER}:{SECRET}@{CAMERA}/live", 1, f"Authorization: Basic {basic}")
    )
    talk.server(
        made.rtsp_reply(1, f"Content-Base: rtsp://{USER}:{SECRET}@{CAMERA}/live/", body=made.sdp(CAMERA, 96, "H264"))
    )
    report = wire.report(tmp_path)
    for port in (8601, 80, 554):
        assert "content:credentials" in flow(report, port)["evidence"], port
    shown = outputs(report) | {"document": json.dumps(report.to_dict(tuple(TABLES)), default=str)}
    for form, said in shown.items():
        for secret in (SECRET, USER, basic):
            assert secret not in said, form


@pytest.mark.parametrize("kind", ["colour", "title", "c1", "html", "formula", "delete"])
def test_names_in_payloads_stay_text_in_every_form_of_output(tmp_path: Path, kind: str) -> None:
    nasty = NASTY[kind]
    raw = nasty.encode("latin-1")
    wire = Wire()
    talk = wire.tcp(CLIENT, 50001, OTHER, 8080).client(made.http_request("GET", "/", "x"))
    talk.server(b"HTTP/1.1 200 OK\r\nServer: Boa/" + raw + b"\r\n\r\n")
    hello = vectors.client_hello(vectors.sni(raw))
    wire.tcp(CLIENT, 50002, OTHER, 44300).client(vectors.record(vectors.handshake(1, hello)))
    talk = wire.tcp(SERVER, 50003, CAMERA, 554).client(made.rtsp_request("OPTIONS", f"rtsp://{CAMERA}/", 1))
    talk.server(made.rtsp_reply(1, f"Server: {nasty}"))
    wire.udp(CAMERA, 1900, CLIENT, 50004, made.ssdp_reply(CAMERA, nasty, "1"))
    wire.udp(CAMERA, 3702, SERVER, 50005, made.onvif_match("2", nasty, CAMERA))
    wire.tcp(CLIENT, 50006, OTHER, 50234).client(
        vectors.PRELOGIN_NAMED.replace(b"DSSQL\0\0\0", raw[:8].ljust(8, b"\0"))
    )
    for form, said in outputs(wire.report(tmp_path)).items():
        assert not CONTROL.search(said), form
        if form == "html":
            assert "<script" not in said and "<img" not in said
        if form.startswith("csv"):
            cells = [cell for row in csv_module.reader(io.StringIO(said)) for cell in row]
            assert not any(cell.startswith(FORMULA) for cell in cells), form


def test_flows_beyond_the_cap_do_not_lend_each_other_what_they_say(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50009, OTHER, 1111).client(b"first")
    wire.tcp(CLIENT, 50000, SERVER, 9600, handshake=False).server(LOGIN)
    session(wire, 3456)
    media(wire, 3456)
    wire.udp(OTHER, 1434, CLIENT, 50003, ssrp(SSRP_HEAD + b"tcp;50234;;"))
    for number in range(20):
        wire.udp(OTHER, 20_000 + number, SERVER, 9, b"anything")
    report = wire.report(tmp_path, limits=Limits(flows=1))
    rows = report.rows("flows")
    assert [row["component"] for row in rows] == ["unclassified.tcp", "unclassified.tcp", "unclassified.udp"]
    assert not any(row["evidence"] for row in rows)
    # who answered, and from where, is in the packet itself
    assert learned(report) == [("other.mssql", OTHER, 50234, "ssrp")]


def everything() -> Wire:
    """A bit of all of it, a connection that began before included."""
    wire = Wire()
    wire.tcp(OTHER, 50001, SERVER, 9600, handshake=False).client(b"q" * 9).server(b"z" * 100)
    media(wire, 3478)
    wire.tcp(CLIENT, 50000, SERVER, 9600).server(LOGIN).client(b"x" * 20)
    session(wire, 3478, pieces=3)
    wire.tcp(CLIENT, 50002, SERVER, 9601, handshake=False).client(API).server(REFUSAL)
    sql(wire, 50234)
    media(wire, 3456)
    wire.udp(OTHER, 1434, CLIENT, 50003, ssrp(SSRP_HEAD + b"tcp;50234;;"))
    return wire


def labels(report: Report) -> str:
    """All that payloads had a say in."""
    document = {name: report.rows(name) for name in ("flows", "learned", "hosts", "candidates", "components")}
    document["why"] = [report.explain(number) for number in range(len(document["flows"]))]
    return json.dumps(document, default=str)


def test_batches_and_both_speeds_give_the_same_labels_for_the_same_reasons(tmp_path: Path) -> None:
    wire = everything()
    path = wire.write(tmp_path / "wire.pcap")
    whole = labels(classify(path))
    for compiled in (False, True):
        for batch in (1, 5, 64):
            assert labels(classify(path, compiled=compiled, batch=batch)) == whole


def test_splitting_the_capture_at_any_packet_gives_the_same_owners_for_the_same_evidence(tmp_path: Path) -> None:
    wire = everything()
    names = ("orig_address", "resp_address", "resp_port", "component", "grade", "evidence", "direction_basis")

    def owners(report: Report) -> list[list[str]]:
        return [[str(row[name]) for name in names] for row in report.rows("flows")]

    whole = owners(wire.report(tmp_path))
    for cut in range(1, len(wire.frames)):
        files = [wire.write(tmp_path / "b.pcap", cut), wire.write(tmp_path / "a.pcap", 0, cut)]
        assert owners(classify(files)) == whole, cut
