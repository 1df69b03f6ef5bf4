"""--explain and report.explain: sentences on flows, hosts and ports. From outside."""

from __future__ import annotations

from pathlib import Path

import payload_vectors as vectors
import pytest
from capture_files import T0
from test_evidence_outside import CAMERA_REFUSAL, LOGIN, media, session
from wires import CAMERA, CLIENT, OTHER, SERVER, Wire, flow

from captures.makers import payloads as made
from classifier import Report, classify, cli
from classifier.explain.place import parse_place

SAMPLES = Path(__file__).resolve().parent.parent / "captures"


def site() -> Wire:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    wire.tcp(OTHER, 50001, SERVER, 8600, handshake=False).client(b"q" * 9).server(b"z" * 100)
    session(wire, 3000)
    media(wire, 3000)
    media(wire, 4000)
    wire.tcp(SERVER, 50002, CAMERA, 80).client(made.http_request("GET", "/jpg", "cam")).server(CAMERA_REFUSAL)
    return wire


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    return site().write(tmp_path / "site.pcap")


def of_port(report: Report, port: int, host: str) -> str:
    (row,) = [r for r in report.rows("flows") if r["resp_port"] == port and r["orig_address"] == host]
    return report.explain(row["flow_id"])


def test_a_flow_names_record_time_and_file_of_what_proves_it(capture: Path) -> None:
    said = of_port(classify(capture), 8600, CLIENT)
    assert "It belongs to digifort.server (Digifort Server), confirmed." in said
    (line,) = [line for line in said.splitlines() if "frame LOGIN" in line]
    assert f"[record 4 of {capture}, " in line
    assert "UTC]" in line
    assert T0 > 0


def test_a_learned_endpoint_names_the_record_that_announced_it(capture: Path) -> None:
    report = classify(capture)
    assert "An RTSP session named 10.0.0.1 udp/3000. [record " in of_port(report, 3000, CAMERA)


def test_what_would_raise_the_grade_comes_from_the_signature(tmp_path: Path, capture: Path) -> None:
    report = classify(capture)
    assert "An RTSP session that names this port for its media would confirm it." in of_port(report, 4000, CAMERA)
    assert "would confirm it" not in of_port(report, 3000, CAMERA)  # it is confirmed
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600, handshake=False).client(b"q" * 9).server(b"z" * 100)
    wire.tcp(CLIENT, 50001, SERVER, 17772).client(b"q" * 9).server(b"z" * 100)
    report = wire.report(tmp_path)
    said = of_port(report, 8600, CLIENT).splitlines()
    assert any("would confirm it: The responder greeted with the frame LOGIN" in line for line in said)
    assert "Such packets come first in a connection, and this one began before the capture." in said
    flow_17772 = report.explain(flow(report, 17772)["flow_id"])
    assert "Probable is the best it can be" in flow_17772
    assert "would confirm" not in flow_17772


def test_encrypted_cut_and_one_sided_payloads_are_named_as_the_reason(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).client(vectors.TLS_CLIENT)
    report = wire.report(tmp_path)
    assert "encrypted (TLS)" in report.explain(0)
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(b"z" * 400)
    report = classify(wire.write(tmp_path / "cut.pcap", snaplen=60))
    assert "Packets were cut" in report.explain(0)
    wire = Wire()
    talk = wire.tcp(CLIENT, 50000, SERVER, 8600, handshake=False)
    talk.segment(0, 2)
    talk.segment(0, 16)
    talk.client(b"q" * 40)
    assert "would confirm" in wire.report(tmp_path).explain(0) or "not answered" in wire.report(tmp_path).explain(0)


def test_what_was_considered_and_what_speaks_against_it(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    reply = b"HTTP/1.1 200 OK\r\nServer: Boa/0.94.13\r\nContent-Length: 0\r\n\r\n"
    wire.tcp(CLIENT, 50001, SERVER, 8601).client(made.http_request("GET", "/a", "x")).server(reply)
    said = wire.report(tmp_path).explain(f"{SERVER}:8601")
    assert "It belongs to other.http" in said
    assert "Considered and not given:" in said
    assert "It is not given to digifort.http_api: The responder served other paths" in said


def test_a_host_says_roles_names_ports_and_what_was_learned(capture: Path) -> None:
    report = classify(capture)
    said = report.explain(SERVER)
    lines = said.splitlines()
    assert lines[0].startswith(f"{SERVER}: 6 flows")
    assert "  Digifort server" in lines
    assert any("It listens for digifort.server (flow" in line for line in lines)
    assert any(line.startswith("  tcp/8600: digifort.server (Digifort Server), confirmed, with") for line in lines)
    assert any(line.startswith("  digifort.server on tcp/8600, from content [record 4 of") for line in lines)
    assert any(line.startswith("  udp/3000: digifort.media_input") for line in lines)
    assert any(line.startswith("  tcp/80: other.http (HTTP), with 10.0.0.20") for line in lines)
    camera = report.explain(CAMERA).splitlines()
    assert "  camera" in camera
    assert any("answers RTSP" in line for line in camera)
    assert any("sends media" in line for line in camera)


def test_flows_of_a_port_are_grouped_and_the_largest_of_each_is_told(tmp_path: Path) -> None:
    wire = Wire()
    for number in range(300):
        wire.tcp(f"10.1.{number // 250}.{number % 250 + 1}", 50000, SERVER, 8600).server(LOGIN)
    report = wire.report(tmp_path)
    said = report.explain(f"{SERVER}:8600")
    assert said.startswith(f"{SERVER}:8600: 300 flows")
    assert said.count("Flow ") == 1
    whole = report.explain(SERVER)
    assert len(whole.splitlines()) < 40
    assert "10.1.0.1, 10.1.0.2, 10.1.0.3 and 297 more" in whole


def test_explanations_stay_bounded_however_many_ports_a_host_has(tmp_path: Path) -> None:
    wire = Wire()
    for port in range(2000, 2400):
        wire.tcp(CLIENT, 50000, SERVER, port).server(b"z" * 10)
        wire.tcp(SERVER, 50000, OTHER, port).server(b"z" * 10)
    said = wire.report(tmp_path).explain(SERVER)
    assert len(said.splitlines()) < 120
    assert "and 388 more ports" in said


def test_names_that_a_host_serves_are_shown_and_harmless(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 443).client(vectors.TLS_CLIENT).server(vectors.TLS_SERVER)
    reply = b"HTTP/1.1 200 OK\r\nServer: Evil\x1b[2J/1.0\r\nContent-Length: 0\r\n\r\n"
    wire.tcp(CLIENT, 50001, SERVER, 8080).client(made.http_request("GET", "/", "x")).server(reply)
    said = wire.report(tmp_path).explain(SERVER)
    assert "vms.example.org" in said
    assert "Evil" in said
    assert "\x1b" not in said
    assert "vms.example.org" not in wire.report(tmp_path).explain(CLIENT).split("At ports of others")[0]


def test_ipv6_places_are_written_with_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(SAMPLES / "neighbours.pcapng")
    assert cli.main([path, "--explain", "fe80::50:2"]) == 0
    whole = capsys.readouterr().out
    assert whole.startswith("fe80::50:2: ")
    assert "--explain [fe80::50:2]:53" in whole
    assert cli.main([path, "--explain", "[fe80::50:2]:53"]) == 0
    assert capsys.readouterr().out.startswith("[fe80::50:2]:53: ")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("10.0.0.5", ("10.0.0.5", None)),
        ("10.0.0.5:8600", ("10.0.0.5", 8600)),
        ("[FD00::0005]:80", ("fd00::5", 80)),
        ("[fd00::5]", ("fd00::5", None)),
        ("fd00::5", ("fd00::5", None)),
        ("recorder", ("recorder", None)),
        ("recorder:80", ("recorder", 80)),
    ],
)
def test_places(text: str, place: tuple[str, int | None]) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    "text", ["", ":80", "10.0.0.5:", "10.0.0.5:0", "10.0.0.5:65536", "10.0.0.5:x", "[fd00::5", "a:b:80"]
)
def test_what_is_no_place_says_what_is_expected(text: str, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(capture), "--explain", text]) == 2
    assert "HOST:PORT" in capsys.readouterr().err


def test_unknown_hosts_and_ports_say_what_there_is(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([str(capture), "--explain", "10.9.9.9"]) == 2
    complaint = capsys.readouterr().err
    assert "10.9.9.9 is not in the capture" in complaint
    assert SERVER in complaint
    assert cli.main([str(capture), "--explain", f"{SERVER}:99"]) == 2
    assert "tcp/8600" in capsys.readouterr().err
    with pytest.raises(ValueError, match="is not in the capture"):
        classify(capture).explain("10.9.9.9")


def test_explain_stands_alone_and_goes_to_a_file(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (["--format", "json"], ["--section", "flows"], ["-o", str(tmp_path / "x.json")]):
        assert cli.main([str(capture), "--explain", SERVER, *more]) == 2
        assert "--explain" in capsys.readouterr().err
    out = tmp_path / "said.txt"
    assert cli.main([str(capture), "--explain", SERVER, "-o", str(out)]) == 0
    assert cli.main([str(capture), "--explain", SERVER]) == 0
    assert capsys.readouterr().out == out.read_text(encoding="utf-8")


def test_a_damaged_capture_is_explained_with_its_exit_code(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(capture.read_bytes()[:-5])
    assert cli.main([str(cut), "--explain", SERVER]) == 4
    assert "  Digifort server" in capsys.readouterr().out.splitlines()


def test_a_host_is_found_by_the_name_that_the_capture_gives(capsys: pytest.CaptureFixture[str]) -> None:
    report = classify(SAMPLES / "digifort_site.pcapng")
    report.facts.names["10.10.0.10"] = "VMS-1"
    assert report.explain("vms-1:8600").startswith("10.10.0.10:8600: 4 flows")


@pytest.mark.parametrize("name", ["digifort_site.pcapng", "digital_sentry_site.pcap", "neighbours.pcapng"])
def test_every_host_of_the_samples_can_be_explained(name: str) -> None:
    report = classify(SAMPLES / name)
    for row in report.rows("hosts"):
        said = report.explain(row["address"]).splitlines()
        assert [line.strip() for line in said[2 : 2 + len(said)] if line.strip() in row["roles"]] == row["roles"]
        assert len(said) < 200
    for row in report.rows("flows"):
        assert str(row["component"]) in report.explain(row["flow_id"])


@pytest.mark.parametrize("name", ["digifort_site.pcapng", "digital_sentry_site.pcap", "neighbours.pcapng"])
def test_every_evidence_code_is_in_the_docs(name: str) -> None:
    page = (SAMPLES.parent / "docs" / "evidence.md").read_text(encoding="utf-8")
    codes = {code for row in classify(SAMPLES / name).rows("flows") for code in row["evidence"]}
    assert len(codes) > 10
    for code in codes:
        kind, colon, _ = code.partition(":")
        assert f"`{kind}{colon}" in page, code
