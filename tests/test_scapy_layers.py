"""Our scapy layers: messages as the specification and published greetings have them, built and dissected."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from scapy.layers.inet import IP, TCP, UDP
    from scapy.packet import Raw

from classifier.scapy_layers import SSRP, DigifortData, DigifortFrame, build_parameters, parameters

NONCE = "0123456789ABCDEF0123456789ABCDEF"
GREETING = bytes.fromhex(
    "d151f027 0000003b 01 05 4c4f47494e 00000030 01 01000000 05 4e4f4e4345 08 20000000"
) + NONCE.encode("ascii")
VERSION = (
    bytes.fromhex("d151f027 00000041 01 15") + b"CMD_ANALYTICS_VERSION"
    + bytes.fromhex("00000026 01 01000000 07") + b"Version" + bytes.fromhex("08 14000000") + b"DIGIFORT 6.5.0.0    "
)  # fmt: skip
LPR_PING = bytes.fromhex("d151f027 00000012 01 0c") + b"CMD_LPR_PING" + bytes(4)
ANALYTICS_PING = bytes.fromhex("d151f027 00000018 01 12") + b"CMD_ANALYTICS_PING" + bytes(4)

HEAD = "ServerName;{};InstanceName;{};IsClustered;No;Version;9.00.5000.00;"
REPLIES: list[tuple[str, list[tuple[str, int | None]]]] = [
    (HEAD.format("WIN3", "MSSQLSERVER") + r"tcp;1433;np;\\WIN3\pipe\sql\query;;", [("MSSQLSERVER", 1433)]),
    (HEAD.format("W", "A") + "tcp;1433;;" + HEAD.format("W", "B") + "tcp;0;;", [("A", 1433), ("B", None)]),
    (HEAD.format("W", "A") + r"np;\\W\pipe\x;tcp;50492;;", [("A", 50492)]),
    (
        HEAD.format("W", "A") + r"np;\\W\pipe\x;bv;;@COMPNAME;;tcp;1433;;" + HEAD.format("W", "B") + "tcp;2000;;",
        [("A", 1433), ("B", 2000)],
    ),
    (HEAD.format("W", "A") + ";", [("A", None)]),
    (HEAD.format("W", "A") + "tcp;50", [("A", None)]),
    ("ServerName;W;InstanceName;A;IsClustered;No;Versi", []),
]


def on_the_wire(transport: Any, payload: bytes) -> Any:
    """A packet with `payload`, dissected from its bytes."""
    return IP(bytes(IP(src="10.0.0.1", dst="10.0.0.2") / transport / Raw(payload)))


@pytest.mark.parametrize(("text", "expected"), REPLIES)
def test_replies(text: str, expected: list[tuple[str, int | None]]) -> None:
    built = bytes(SSRP(type="SVR_RESP", data=text.encode("ascii")))
    assert built == b"\x05" + len(text).to_bytes(2, "little") + text.encode("ascii")
    seen = on_the_wire(UDP(sport=1434, dport=50000), built)[SSRP]
    assert [(instance, port) for _, instance, _, port in seen.instances()] == expected
    assert bytes(seen) == built
    for instance, port in expected:
        assert f"{instance} {f'tcp {port}' if port else 'no tcp port'}" in seen.summary()


def test_the_reply_to_a_dac_request() -> None:
    built = bytes(SSRP(type="SVR_RESP", dac_port=1434))
    assert built == bytes.fromhex("050600019a05")
    seen = on_the_wire(UDP(sport=1434, dport=50000), built)[SSRP]
    assert (seen.size, seen.dac_port) == (6, 1434)
    assert seen.summary() == "SSRP SVR_RESP DAC tcp 1434"
    assert bytes(seen.copy()) == built


@pytest.mark.parametrize(
    ("fields", "raw"),
    [
        ({"type": "CLNT_BCAST_EX"}, b"\x02"),
        ({"type": "CLNT_UCAST_EX"}, b"\x03"),
        ({"type": "CLNT_UCAST_INST", "instance": b"DSSQL"}, b"\x04DSSQL\0"),
        ({"type": "CLNT_UCAST_DAC", "instance": b"DSSQL"}, b"\x0f\x01DSSQL\0"),
    ],
)
def test_requests(fields: dict[str, Any], raw: bytes) -> None:
    assert bytes(SSRP(**fields)) == raw
    seen = on_the_wire(UDP(sport=50000, dport=1434), raw)[SSRP]
    assert seen.sprintf("%SSRP.type%") == fields["type"]
    assert seen.fields.get("instance", b"") == fields.get("instance", b"")
    assert bytes(seen) == raw


@pytest.mark.parametrize("raw", [b"\x04DSSQL", b"\x04" + b"A" * 33, b"\x0f\x01DSSQL"])
def test_odd_requests_keep_their_bytes(raw: bytes) -> None:
    seen = on_the_wire(UDP(sport=50000, dport=1434), raw)
    assert SSRP in seen
    assert bytes(seen[UDP].payload) == raw


@pytest.mark.parametrize("raw", [b"\x05", b"\x05\x08", b"\x0f", b"\x07abc", b"\xff"])
def test_what_is_no_ssrp_stays_raw(raw: bytes) -> None:
    seen = on_the_wire(UDP(sport=50000, dport=1434), raw)
    assert SSRP not in seen
    assert bytes(seen[Raw]) == raw


def test_no_payload() -> None:
    assert SSRP not in IP(bytes(IP() / UDP(sport=50000, dport=1434)))


def test_control_characters_of_an_instance_are_escaped_in_summaries() -> None:
    text = on_the_wire(UDP(sport=50000, dport=1434), b"\x04\x1b]0;x\x07\0").summary()
    assert "\x1b" not in text
    assert "\x07" not in text


@pytest.mark.parametrize(
    ("frame", "raw", "port"),
    [
        (DigifortFrame(frame_name="LOGIN", parameters={"NONCE": NONCE}), GREETING, 8600),
        (
            DigifortFrame(frame_name="CMD_ANALYTICS_VERSION", parameters={"Version": "DIGIFORT 6.5.0.0    "}),
            VERSION,
            8610,
        ),
        (DigifortFrame(frame_name="CMD_LPR_PING"), LPR_PING, 8611),
        (DigifortFrame(frame_name="CMD_ANALYTICS_PING"), ANALYTICS_PING, 8610),
    ],
    ids=["greeting", "version", "lpr_ping", "analytics_ping"],
)
def test_digifort_frames(frame: DigifortFrame, raw: bytes, port: int) -> None:
    assert bytes(frame) == raw
    seen = on_the_wire(TCP(sport=port, dport=50000), raw)[DigifortFrame]
    assert seen.frame_name == frame.frame_name
    assert seen.texts() == frame.texts()
    assert seen.summary() == f"Digifort {frame.frame_name.decode()}"
    seen.raw_packet_cache = None  # build it anew from its fields
    assert bytes(seen) == raw


def test_several_frames_in_one_segment() -> None:
    seen = on_the_wire(TCP(sport=8611, dport=50000), LPR_PING + LPR_PING + GREETING[:20])
    assert [bytes(seen[DigifortFrame:i].frame_name) for i in (1, 2, 3)] == [b"CMD_LPR_PING"] * 2 + [b"LOGIN"]
    seen = on_the_wire(TCP(sport=8611, dport=50000), LPR_PING + GREETING[:12])
    assert bytes(seen[DigifortData]) == GREETING[:12]


def test_the_nonce_is_never_shown() -> None:
    for cut in range(len(GREETING) + 1):
        head, tail = GREETING[:cut], GREETING[cut:]
        for payload in (head, LPR_PING + head, tail, head + b"\0" + tail):
            seen = on_the_wire(TCP(sport=8600, dport=50000), payload)
            texts = (seen.show(dump=True), seen.summary(), repr(seen), seen.show2(dump=True))
            assert not any(NONCE[:4] in text or NONCE[-4:] in text for text in texts), payload
    assert "NONCE=(32 bytes, not shown)" in on_the_wire(TCP(sport=8600), GREETING).show(dump=True)
    assert "DIGIFORT 6.5.0.0" in on_the_wire(TCP(sport=8610), VERSION).show(dump=True)


@pytest.mark.parametrize("payload", [b"\0" + GREETING, GREETING[:3], b"GET / HTTP/1.1\r\n\r\n"])
def test_what_does_not_begin_with_the_magic_is_data(payload: bytes) -> None:
    seen = on_the_wire(TCP(sport=8600, dport=50000), payload)
    assert DigifortFrame not in seen
    assert bytes(seen[DigifortData]) == payload


def test_lying_lengths_end_in_time_and_keep_the_bytes() -> None:
    for at in range(4, len(GREETING)):
        damaged = GREETING[:at] + b"\xff" + GREETING[at + 1 :]
        seen = on_the_wire(TCP(sport=8600, dport=50000), damaged)
        assert bytes(seen[TCP].payload) == damaged


def test_parameters_of_another_layout_are_none() -> None:
    raw = build_parameters({"a": "b"})
    assert parameters(raw) == {b"a": b"b"}
    assert parameters(raw + b"\0") is None
    assert parameters(raw[:-1]) is None
    assert parameters(b"\x02" + raw[1:]) is None
    assert parameters(b"\x01\xff\xff\xff\xff" + raw[5:]) is None
