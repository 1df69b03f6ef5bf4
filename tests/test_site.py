"""What a user knows of a site: --map, --host, [[host]], and where a capture contradicts it. From outside."""

from __future__ import annotations

import json
from pathlib import Path

import payload_vectors as vectors
import pytest
from test_evidence_outside import API, CAMERA_REFUSAL, LOGIN, media, session
from wires import CAMERA, CLIENT, OTHER, SERVER, Wire, codes, flow, owner

from captures.makers import payloads as made
from classifier import classify, cli
from classifier.errors import SignatureError
from classifier.matching.site import Site


def quiet(wire: Wire, client: str, server: str, port: int, number: int = 50000) -> None:
    """A connection whose payload says nothing."""
    wire.tcp(client, number, server, port).client(b"q" * 40).server(b"z" * 400)


def messages(report: object, code: str) -> list[str]:
    return [problem.message for problem in report.problems if problem.code == code]  # type: ignore[attr-defined]


def test_a_moved_port_is_the_components(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 9600)
    quiet(wire, CLIENT, OTHER, 8600)
    path = wire.write(tmp_path / "site.pcap")
    report = classify(path, site=Site.of(["digifort.server=9600/tcp"]))
    assert owner(report, 9600) == ("digifort.server", "probable")
    assert owner(report, 8600) == ("unclassified.tcp", "")
    assert not codes(report)


def test_several_maps_of_a_component_add_up_and_are_the_same_as_a_file(tmp_path: Path) -> None:
    wire = Wire()
    for number, port in enumerate((8600, 9600, 9601)):
        quiet(wire, CLIENT, SERVER, port, 50000 + number)
    path = wire.write(tmp_path / "site.pcap")
    overlay = tmp_path / "site.toml"
    overlay.write_text('[[signature]]\nid = "digifort.server"\nports = [8600, "9600-9601"]\n')
    by_option = classify(path, site=Site.of(["digifort.server=8600", "digifort.server=9600-9601/tcp"]))
    by_file = classify(path, signatures=[overlay])
    assert by_option.rows("flows") == by_file.rows("flows")
    assert {row["component"] for row in by_option.rows("flows")} == {"digifort.server"}


def test_another_group_is_the_components(tmp_path: Path) -> None:
    wire = Wire()
    media(wire, 1025, source=SERVER, target="239.1.2.3")
    path = wire.write(tmp_path / "site.pcap")
    report = classify(path, site=Site.of(["digifort.multicast_media=239.1.2.3"]))
    assert owner(report, 1025) == ("digifort.multicast_media", "probable")
    assert owner(classify(path), 1025) == ("other.rtp", "")


def test_a_sql_port_that_the_user_knows_needs_a_host_of_the_product(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 18772)
    wire.tcp(CLIENT, 50100, SERVER, 50492).client(vectors.PRELOGIN_CLIENT).server(vectors.PRELOGIN_SERVER)
    wire.tcp(CLIENT, 50101, CAMERA, 50493).client(vectors.PRELOGIN_CLIENT).server(vectors.PRELOGIN_SERVER)
    wire.tcp("10.0.0.90", 50102, OTHER, 50492).client(vectors.PRELOGIN_CLIENT).server(vectors.PRELOGIN_SERVER)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of(["digital_sentry.sql=50492/tcp"]))
    assert owner(report, 50492, SERVER) == ("digital_sentry.sql", "confirmed")
    assert owner(report, 50493) == ("digital_sentry.sql", "confirmed")  # ControlPoint asks: still learned by content
    assert owner(report, 50492, OTHER)[0] == "other.mssql"


def test_a_sql_port_that_the_user_knows_gives_no_other_sql_server_to_the_product(tmp_path: Path) -> None:
    wire = Wire()
    wire.udp(CLIENT, 50000, OTHER, 1434, b"\x04PAYROLL\0")
    wire.udp(OTHER, 1434, CLIENT, 50000, vectors.ssrp(vectors.SSRP_HEAD + b"tcp;51000;;"))
    quiet(wire, CLIENT, OTHER, 51000)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of(["digital_sentry.sql=50492/tcp"]))
    assert owner(report, 51000) == ("other.mssql", "")


def test_a_host_that_the_user_names_supports_generic_ports_and_has_its_role(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 80)
    quiet(wire, CLIENT, OTHER, 80)
    path = wire.write(tmp_path / "site.pcap")
    report = classify(path, site=Site.of([], [f"{SERVER}=digifort.server"]))
    assert owner(report, 80, SERVER) == ("digifort.web", "probable")
    assert owner(report, 80, OTHER) == ("other.http", "")
    assert "site:host" in flow(report, 80, SERVER)["evidence"]
    assert report.facts.labels.roles[SERVER][:2] == ["Digifort server", "Digifort web server"]
    assert f"--host {SERVER}=digifort.server" in report.explain(flow(report, 80, SERVER)["flow_id"])
    assert owner(classify(path), 80, SERVER) == ("other.http", "")


def test_what_the_capture_shows_itself_is_not_called_the_users_word(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    quiet(wire, CLIENT, SERVER, 80)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of([], [f"{SERVER}=digifort.server"]))
    evidence = flow(report, 80)["evidence"]
    assert "host:digifort.server" in evidence
    assert "site:host" not in evidence


def test_a_host_table_in_a_file_is_the_same(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 80)
    path = wire.write(tmp_path / "site.pcap")
    overlay = tmp_path / "site.toml"
    overlay.write_text(f'[[host]]\naddress = "{SERVER}"\ncomponent = "digifort.server"\nnote = "rack 3"\n')
    assert cli.main(["signatures", "check", str(overlay)]) == 0
    by_file = classify(path, signatures=[overlay]).rows("flows")
    assert by_file == classify(path, site=Site.of([], [f"{SERVER}=digifort.server"])).rows("flows")
    assert by_file[0]["component"] == "digifort.web"


def test_the_users_own_rtsp_server_owns_its_port_without_content(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 554)
    path = wire.write(tmp_path / "site.pcap")
    assert owner(classify(path, site=Site.of([], [f"{SERVER}=digifort.rtsp"])), 554) == ("digifort.rtsp", "probable")
    assert owner(classify(path, site=Site.of([], [f"{SERVER}=digifort.server"])), 554) == ("other.rtsp", "")


# Contradictions.


def test_a_greeting_on_another_port_than_the_user_says(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).server(LOGIN)
    quiet(wire, CLIENT, OTHER, 9600)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of(["digifort.server=9600/tcp"]))
    (message,) = messages(report, "site_contradiction")
    assert f"tcp/8600 of {SERVER}" in message
    assert "--map digifort.server=9600/tcp" in message
    (problem,) = [problem for problem in report.problems if problem.code == "site_contradiction"]
    assert problem.record == 4  # behind the handshake
    assert owner(report, 8600) == ("digifort.server", "confirmed")  # what it shows still counts


def test_another_protocol_on_the_port_of_a_host_that_the_user_names(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50000, SERVER, 8600).client(made.http_request("GET", "/a", "x")).server(CAMERA_REFUSAL)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of([], [f"{SERVER}=digifort.server"]))
    (message,) = messages(report, "site_contradiction")
    assert "HTTP" in message
    assert f"tcp/8600 of {SERVER}" in message


def test_a_host_that_is_not_there_is_said_and_gets_no_role(tmp_path: Path) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 80)
    site = Site.of(["digifort.server=9600/tcp", "digifort.multicast_media=239.1.2.3"], ["10.9.9.9=digifort.server"])
    report = classify(wire.write(tmp_path / "site.pcap"), site=site)
    unseen = messages(report, "site_unseen")
    assert [part in " ".join(unseen) for part in ("10.9.9.9", "tcp/9600", "239.1.2.3")] == [True] * 3
    assert len(unseen) == 3
    assert "10.9.9.9" not in report.facts.labels.roles


def test_a_camera_that_the_user_calls_a_server_stays_a_camera_and_it_is_said(tmp_path: Path) -> None:
    wire = Wire()
    session(wire, 40000, client=OTHER)
    media(wire, 40000, target=OTHER)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of([], [f"{CAMERA}=digifort.server"]))
    assert "camera" in report.facts.labels.roles[CAMERA]
    (message,) = messages(report, "site_contradiction")
    assert f"{CAMERA} is a camera: it answers RTSP (record 1)" in message


def test_a_port_that_refuses_contradicts(tmp_path: Path) -> None:
    from wires import ACK, RST

    wire = Wire()
    talk = wire.tcp(CLIENT, 50000, SERVER, 8600, handshake=False)
    talk.segment(0, 2)
    talk.segment(1, RST | ACK)
    report = classify(wire.write(tmp_path / "site.pcap"), site=Site.of([], [f"{SERVER}=digifort.server"]))
    assert "refused" in messages(report, "site_contradiction")[0]


# The command.


def test_the_command_takes_both_and_shows_contradictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 80)
    wire.tcp(CLIENT, 50500, SERVER, 9601).client(API)
    path = str(wire.write(tmp_path / "site.pcap"))
    options = ["--host", f"{SERVER}=digifort.server", "--map", "digifort.http_api=9602"]
    assert cli.main([path, *options, "--format", "json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {row["id"] for row in document["components"]} == {"digifort.web", "digifort.http_api"}
    assert [problem["code"] for problem in document["problems"]] == ["site_contradiction", "site_unseen"]


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--map", "digifort.sever=9600/tcp", ('did you mean "digifort.server"', "digifort.sever")),
        ("--map", "digifort.server", ("COMPONENT=PORTS/TRANSPORT", '"digifort.server"')),
        ("--map", "digifort.server=9600/udp", ("expected tcp", '"udp"')),
        ("--map", "digifort.server=96000/tcp", ("1 to 65535", "96000")),
        ("--map", "digifort.server=70-60/tcp", ("from low to high", "70-60")),
        ("--map", "digifort.server=239.1.2.3", ("9600/tcp", "239.1.2.3")),
        ("--map", "digifort.multicast_media=10.1.2.3", ("239.1.2.3", "10.1.2.3")),
        ("--map", "digifort.server=", ("COMPONENT=PORTS/TRANSPORT",)),
        ("--host", "10.0.0.5", ("ADDRESS=COMPONENT", '"10.0.0.5"')),
        ("--host", "server=digifort.server", ("an IP address", '"server"')),
        ("--host", "239.1.2.3=digifort.server", ("one host", "239.1.2.3")),
        ("--host", "10.0.0.5=digifort.severs", ('did you mean "digifort.server"', "digifort.severs")),
    ],
)
def test_a_mistake_names_option_expected_and_found(
    option: str, value: str, said: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wire = Wire()
    quiet(wire, CLIENT, SERVER, 80)
    assert cli.main([str(wire.write(tmp_path / "site.pcap")), option, value]) == 2
    complaint = capsys.readouterr().err
    assert option in complaint
    assert all(part in complaint for part in said), complaint


def test_a_wrong_host_table_names_its_place(tmp_path: Path) -> None:
    wire = Wire()
    path = wire.write(tmp_path / "site.pcap")
    overlay = tmp_path / "own.toml"
    for text, key, expected in (
        ('[[host]]\naddress = "x.y"\ncomponent = "digifort.server"', "host[1].address", "an IP address"),
        ('[[host]]\naddress = "10.0.0.1"\ncomponent = "digifort.nothing"', "host[1].component", "a known component"),
        ('[[host]]\naddress = "10.0.0.1"', "host[1].component", "a value"),
        ('[[host]]\naddress = "10.0.0.1"\ncomponent = "digifort.web"\nport = 3', "host[1].port", "a known key"),
    ):
        overlay.write_text(text)
        with pytest.raises(SignatureError) as caught:
            classify(path, signatures=[overlay])
        assert (caught.value.path, caught.value.key) == (str(overlay), key)
        assert expected in caught.value.expected
