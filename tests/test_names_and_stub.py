"""What remains: names that payloads give, the table others, the ready signature. From outside."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import payload_vectors as vectors
import pytest
from test_evidence_outside import LOGIN, media
from wires import CAMERA, CLIENT, OTHER, SERVER, Wire, flow, owner

from captures.makers import payloads as made
from classifier import classify, cli

SAMPLES = Path(__file__).resolve().parent.parent / "captures"


def hello(name: bytes) -> bytes:
    return vectors.record(vectors.handshake(1, vectors.client_hello(vectors.sni(name))))


def answer(server: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nServer: " + server + b"\r\nContent-Length: 0\r\n\r\n"


# Names.


def test_flows_have_the_names_that_their_payloads_give(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, OTHER, 443).client(hello(b"cloud.example.net")).server(vectors.TLS_SERVER)
    wire.tcp(CLIENT, 50001, OTHER, 7443).client(hello(b"other.example.net")).server(vectors.TLS_SERVER)
    wire.tcp(CLIENT, 50002, SERVER, 8600).server(LOGIN)
    wire.tcp(CLIENT, 50003, OTHER, 80).client(made.http_request("GET", "/", "x")).server(answer(b"nginx"))
    wire.udp(CLIENT, 50004, OTHER, 1434, b"\x04DSSQL\0")
    wire.tcp(CLIENT, 50005, OTHER, 9999).client(b"q" * 20).server(b"z" * 90)
    report = wire.report(tmp_path)
    names = {row["resp_port"]: row["name"] for row in report.rows("flows")}
    assert names[443] == "cloud.example.net"
    assert names[7443] == "other.example.net"
    assert names[80] == "nginx"
    assert names[1434] == "DSSQL"
    assert names[9999] == ""
    assert owner(report, 7443)[0] == "other.tls"


def test_a_name_is_said_by_the_side_that_it_belongs_to(tmp_path: Path) -> None:
    wire = Wire()
    request = b"GET / HTTP/1.1\r\nHost: x\r\nServer: client-says-so\r\n\r\n"
    wire.tcp(CLIENT, 50000, OTHER, 80).client(request).server(answer(b"real"))
    assert flow(wire.report(tmp_path), 80)["name"] == "real"


def test_hostile_names_are_harmless_in_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire = Wire()
    for number, name in enumerate((b"=HYPERLINK(1)", b"<script>x</script>", b"a\x1b[2Jb", b"@" + b"n" * 900)):
        wire.tcp(CLIENT, 50000 + number, OTHER, 8000 + number).client(hello(name)).server(answer(name))
        wire.tcp(CLIENT, 50100 + number, OTHER, 9000 + number).client(made.http_request("GET", "/", "x")).server(
            answer(name)
        )
    path = str(wire.write(tmp_path / "site.pcap"))
    for section in ("flows", "others"):
        assert cli.main([path, "--section", section]) == 0
        assert "\x1b" not in capsys.readouterr().out
        assert cli.main([path, "--section", section, "--format", "csv"]) == 0
        shown = capsys.readouterr().out
        assert "\x1b" not in shown
        for row in csv.DictReader(io.StringIO(shown)):
            assert not row["name"].startswith(("=", "@", "+", "-"))
    report = classify(path)
    assert max(len(row["name"]) for row in report.rows("flows")) <= 253
    assert "<script>" not in report._repr_html_()


def test_others_adds_up_and_says_tls_to_whom_and_whose_media_nobody_knows(tmp_path: Path) -> None:
    wire = Wire()
    for number, name in enumerate((b"cloud.example.net", b"cloud.example.net", b"mail.example.net")):
        wire.tcp(CLIENT, 50000 + number, f"203.0.113.{number + 1}", 443).client(hello(name)).server(vectors.TLS_SERVER)
    wire.tcp(CLIENT, 50010, OTHER, 443).client(b"\x17\x03\x03\x00\x04abcd").server(b"\x17\x03\x03\x00\x04abcd")
    media(wire, 40000, source=CAMERA, target=OTHER)
    report = wire.report(tmp_path)
    rows = report.rows("others")
    what = {row["what"]: row for row in rows}
    assert what["TLS to cloud.example.net"]["flows"] == what["TLS to cloud.example.net"]["servers"] == 2
    assert what["TLS to mail.example.net"]["component"] == "other.https"
    assert what["RTP without a known owner"]["packets"] == 30
    assert any(word.startswith("HTTPS") for word in what)
    for measure in ("packets", "wire_bytes", "flows"):
        others = [row for row in report.rows("components") if row["product"] == "other"]
        assert sum(row[measure] for row in rows) == sum(row[measure] for row in others)
    assert [row["wire_bytes"] for row in rows] == sorted((row["wire_bytes"] for row in rows), reverse=True)


def test_others_is_a_section_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(SAMPLES / "neighbours.pcapng")
    assert cli.main([path, "--section", "others"]) == 0
    assert "TLS to www.example.com" in capsys.readouterr().out
    assert cli.main([path, "--format", "json"]) == 0
    assert "others" not in json.loads(capsys.readouterr().out)
    assert cli.main([path, "--section", "others", "--format", "json"]) == 0
    names = [row["name"] for row in json.loads(capsys.readouterr().out)["others"]]
    assert "mail.example.com" in names


# The stub.


def stub_of(path: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    """What a reader would paste: everything from the first comment below the sentence to the end."""
    assert cli.main([str(path), "--section", "unclassified", *more]) == 0
    shown = capsys.readouterr().out
    head, _, toml = shown.partition("(classify --signatures FILE):\n\n")
    assert head.startswith("UNCLASSIFIED")
    return toml


UNKNOWN = {
    "tcp": ("tcp", SERVER, 7700, True),
    "tcp mid-stream": ("tcp", SERVER, 7700, False),
    "udp": ("udp", SERVER, 7701, True),
    "group": ("udp", "239.9.9.9", 7702, True),
    "broadcast": ("udp", "255.255.255.255", 7703, True),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_the_stub_loads_as_it_is_and_owns_the_flows(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transport, address, port, handshake = UNKNOWN[kind]
    wire = Wire()
    for number in range(3):
        if transport == "tcp":
            talk = wire.tcp(f"10.0.0.{60 + number}", 50000, address, port, handshake=handshake)
            talk.client(b"q" * 50).server(b"z" * 700)
        else:
            for _ in range(4):
                wire.udp(f"10.0.0.{60 + number}", 50000, address, port, b"\1" * 500)
    wire.tcp(CLIENT, 50009, OTHER, 7799).client(b"q").server(b"z")  # a smaller one
    path = wire.write(tmp_path / "site.pcap")
    overlay = tmp_path / "own.toml"
    overlay.write_text(stub_of(path, capsys))
    assert cli.main(["signatures", "check", str(overlay)]) == 0
    capsys.readouterr()
    report = classify(path, signatures=[overlay])
    mine = [row for row in report.rows("flows") if port in (row["resp_port"], row["orig_port"])]
    assert {row["component"] for row in mine} == {f"my_site.{transport}_{port}"}
    assert {row["grade"] for row in mine} == {"probable"}
    again = stub_of(path, capsys, "--signatures", str(overlay))  # the next one, under a name that is free
    assert 'id = "my_site_2.tcp_7799"' in again


@pytest.mark.parametrize("ports", [(50000, 7700), (7700, 50000), (50000, 50001), (443, 7700)])
def test_a_stub_for_one_connection_that_began_before_the_capture_owns_it(
    ports: tuple[int, int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = Wire()
    talk = wire.tcp(CLIENT, ports[0], SERVER, ports[1], handshake=False)
    for _ in range(5):
        talk.client(b"q" * 50).server(b"z" * 700)
    path = wire.write(tmp_path / "site.pcap")
    before = classify(path).rows("flows")[0]["component"]
    toml = stub_of(path, capsys)
    assert bool(toml) == (before == "unclassified.tcp")
    if toml:
        overlay = tmp_path / "own.toml"
        overlay.write_text(toml)
        (row,) = classify(path, signatures=[overlay]).rows("flows")
        assert row["component"].startswith("my_site.tcp_")


def test_flows_whose_listening_side_is_in_doubt_are_not_what_a_stub_begins_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = Wire()
    for server, port in ((SERVER, 323), (OTHER, 443)):  # one port of the client meets two servers
        talk = wire.tcp(CLIENT, 55936, server, port, handshake=False)
        for _ in range(3):
            talk.server(b"z" * 400)
    wire.tcp(CLIENT, 50000, SERVER, 7700).client(b"q").server(b"z")
    path = wire.write(tmp_path / "site.pcap")
    assert owner(classify(path), 323) == ("unclassified.tcp", "")
    overlay = tmp_path / "own.toml"
    overlay.write_text(stub_of(path, capsys))
    report = classify(path, signatures=[overlay])
    assert [row["id"] for row in report.rows("components") if row["product"] == "my_site"] == ["my_site.tcp_7700"]


def test_attempts_without_an_answer_give_no_stub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 7700, handshake=False).segment(0, 2)
    path = wire.write(tmp_path / "site.pcap")
    assert stub_of(path, capsys) == ""
    assert cli.main(["signatures", "stub", str(path)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert "nothing is unclassified" in said.err


def test_the_verb_prints_the_same_stub(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 7700).client(b"q").server(b"z")
    path = wire.write(tmp_path / "site.pcap")
    shown = stub_of(path, capsys)
    assert cli.main(["signatures", "stub", str(path)]) == 0
    assert capsys.readouterr().out == shown
    assert cli.main(["signatures", "stub", str(tmp_path / "none.pcap")]) == 3
    assert "none.pcap" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["digifort_site.pcapng", "digital_sentry_site.pcap", "neighbours.pcapng"])
def test_the_stub_of_a_sample_owns_something(name: str, tmp_path: Path) -> None:
    report = classify(SAMPLES / name)
    toml = report.signature_stub()
    if not toml:
        assert name != "neighbours.pcapng"
        return
    overlay = tmp_path / "own.toml"
    overlay.write_text(toml)
    found = classify(SAMPLES / name, signatures=[overlay])
    assert [row for row in found.rows("components") if row["product"] == "my_site"]
