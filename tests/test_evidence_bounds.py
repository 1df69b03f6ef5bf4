"""What payload evidence costs at most: very many payloads, each kind's bound, and what the report says of it."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import payload_vectors as vectors
import pytest
from capture_files import T0, pcap_header
from hostile import measured
from wires import CAMERA, CLIENT, SERVER, Wire, codes, frame, owner

from captures.makers import payloads as made
from classifier import classify, engine
from classifier.flows.state import KIND_TEXT, ORDINARY_PER_ENDPOINT, ORDINARY_TOTAL, SIDE_LIMITS
from classifier.limits import Limits
from classifier.matching import load_signatures

LOGIN = made.digifort_ping("LOGIN")
MIB = 1 << 20


def packets(path: Path, count: int, payload: bytes, *, servers: int = 250, flows: int | None = None) -> Path:
    """`count` TCP segments with this payload; `flows` connections (one each), spread over `servers`."""
    template = frame("10.1.0.0", "10.2.0.0", 6, struct.pack(">HHIIBBHHH", 0, 80, 0, 1, 0x50, 0x18, 9, 0, 0) + payload)
    size = len(template)
    data = [pcap_header()]
    for number in range(count):
        flow = number % (flows or count)
        source, port = struct.pack(">HH", 0x0A01, 1 + flow // 20_000), struct.pack(">H", 40_000 + flow % 20_000)
        target = struct.pack(">HH", 0x0A02, flow % servers)
        seq = struct.pack(">I", number // (flows or count) * len(payload))
        piece = template[:26] + source + target + port + template[36:38] + seq + template[42:]
        data.append(struct.pack("<IIII", T0 + number // 10_000, number % 10_000 * 100, size, size) + piece)
    path.write_bytes(b"".join(data))
    return path


def read(path: Path, **limits: int) -> tuple[int, set[str]]:
    """Payloads that proved something (one proof for each here), and the problems of the pass."""
    result = engine.read(path, signatures=load_signatures(), compiled=True, limits=Limits(**limits))
    proofs = sum(len(result.proofs.of(number)) for number in range(len(result.flows)))
    return proofs, {problem.code for problem in result.problems}


REPLY = b"HTTP/1.1 200 OK\r\nServer: Boa/0.94\r\nContent-Length: 0\r\n\r\n"
HELLO = vectors.TLS_CLIENT
DESCRIBE = b"DESCRIBE rtsp://10.2.0.0/live RTSP/1.0\r\nCSeq: 1\r\n\r\n"
SETUP = b"SETUP rtsp://10.2.0.0/live RTSP/1.0\r\nCSeq: 1\r\nTransport: RTP/AVP;unicast;client_port=3000-3001\r\n\r\n"


@pytest.mark.parametrize("payload", [made.http_request("GET", "/", "x", agent="Boa"), HELLO], ids=["http", "tls"])
def test_of_very_many_connections_so_many_payloads_are_read_and_the_rest_is_said(
    tmp_path: Path, payload: bytes
) -> None:
    path = packets(tmp_path / "many.pcap", 100_000 if payload is not HELLO else 50_000, payload, servers=40_000)
    result = measured(path)
    assert result["engine_problems"] == ["evidence_cap"]
    assert result["complete"]
    assert result["grown"] < 300 * MIB


def test_ordinary_payloads_are_bounded_in_all(tmp_path: Path) -> None:
    path = packets(tmp_path / "a.pcap", 40_000, HELLO, servers=30_000)
    assert read(path) == (ORDINARY_TOTAL, {"evidence_cap"})


def test_of_one_endpoint_a_few_suffice_and_nothing_is_said_of_the_others(tmp_path: Path) -> None:
    path = packets(tmp_path / "a.pcap", 20_000, HELLO, servers=1)
    assert read(path) == (ORDINARY_PER_ENDPOINT, set())


def test_ordinary_payloads_beyond_their_bound_do_not_hide_a_product(tmp_path: Path) -> None:
    wire = Wire()
    wire.tcp(CLIENT, 50_000, SERVER, 9600).server(LOGIN)
    wire.tcp(CLIENT, 50_001, SERVER, 9601).client(made.http_request("GET", "/Interface/x", "vms"))
    wire.tcp(CLIENT, 50_002, SERVER, 9602).client(b"GET / HTTP/1.1\r\n\r\n").server(made.digifort_refusal())
    late = wire.write(tmp_path / "late.pcap")
    first = packets(tmp_path / "a.pcap", 40_000, HELLO, servers=30_000)
    report = classify([first, late], compiled=True)
    assert codes(report) == {"evidence_cap"}
    found = [owner(report, port) for port in (9600, 9601, 9602)]
    assert found == [
        ("digifort.server", "confirmed"),
        ("digifort.http_api", "confirmed"),
        ("digifort.web", "confirmed"),
    ]


def test_of_one_rtsp_connection_so_many_heads_are_read(tmp_path: Path) -> None:
    path = packets(tmp_path / "a.pcap", 100_000, DESCRIBE, flows=1)
    assert read(path) == (SIDE_LIMITS[KIND_TEXT], set())
    begun = time.process_time()
    classify(path, compiled=True)
    assert time.process_time() - begun < 10


def test_sessions_that_are_set_up_beyond_the_bound_are_said(tmp_path: Path) -> None:
    report = classify(packets(tmp_path / "a.pcap", 100, SETUP, flows=1))
    assert codes(report) == {"evidence_cap"}
    assert next(p.message for p in report.problems if p.code == "evidence_cap").startswith("76 payloads")


def test_many_rtsp_connections_stay_within_the_bound_on_payloads(tmp_path: Path) -> None:
    path = packets(tmp_path / "a.pcap", 30_000, DESCRIBE)
    assert read(path, payloads=5_000) == (5_000, {"evidence_cap"})


def test_time_grows_with_the_capture_and_not_faster(tmp_path: Path) -> None:
    def taken(count: int) -> float:
        path = packets(tmp_path / f"{count}.pcap", count, REPLY, servers=60_000)
        best = 1e9
        for _ in range(3):
            begun = time.process_time()
            classify(path, compiled=True)
            best = min(best, time.process_time() - begun)
        return best

    assert taken(100_000) < 10 * taken(25_000) + 0.5


def test_media_beyond_the_room_for_streams_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.flows.state.MAX_PROBES", 64)
    wire = Wire()
    for number in range(100):
        wire.udp(CAMERA, 20_000 + number, SERVER, 3456, vectors.rtp(1))
    report = wire.report(tmp_path)
    assert codes(report) == {"evidence_cap"}
    assert "69 packets" in report.problems[0].message
