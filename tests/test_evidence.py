"""Payload parsers: SSRP replies and requests, IGMP and MLD messages, cut anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.evidence.membership import parse_igmp, parse_mld
from classifier.evidence.ssrp import parse_reply, parse_request


def reply(text: str, size: int | None = None) -> bytes:
    data = text.encode("latin-1")
    return b"\x05" + (len(data) if size is None else size).to_bytes(2, "little") + data


HEAD = "ServerName;W;InstanceName;A;IsClustered;No;Version;8.00.194;"


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        (
            r"ServerName;WIN3;InstanceName;MSSQLSERVER;IsClustered;No;Version;9.00.5000.00;tcp;1433;np;\\WIN3\pipe\sql\query;;",
            [1433],
        ),
        (HEAD + "tcp;1433;;" + HEAD + "tcp;0;;", [1433, None]),
        (HEAD + r"np;\\W\pipe\x;tcp;50492;;", [50492]),
        (HEAD + r"np;\\W\pipe\x;bv;;@COMPNAME;;tcp;1433;;" + HEAD.replace(";A;", ";B;") + "tcp;2000;;", [1433, 2000]),
        (HEAD + ";", [None]),
        (HEAD + "tcp;50", [None]),
        (HEAD + "tcp;65536;;", [None]),
        (HEAD[:-4], []),
        (HEAD + r"np;\\W\pipe\nottcp;7;;", [None]),
    ],
)
def test_the_port_of_each_instance(text: str, ports: list[int | None]) -> None:
    found = parse_reply(reply(text))
    assert found is not None
    assert [i.tcp_port for i in found.instances] == ports
    assert not found.truncated


def test_a_reply_shorter_than_its_size_field_is_truncated() -> None:
    found = parse_reply(reply(HEAD + "tcp;50", 500))
    assert found is not None
    assert found.truncated


def test_the_dac_reply() -> None:
    found = parse_reply(bytes.fromhex("05060001 9A05".replace(" ", "")))
    assert found is not None
    assert (found.dac_port, found.instances) == (1434, ())


def test_control_characters_and_other_alphabets_survive_as_escapes() -> None:
    found = parse_reply(reply("ServerName;W\xe9;InstanceName;A;IsClustered;No;Version;8;tcp;1433;;"))
    assert found is not None
    assert found.instances[0].server == r"W\xe9"


@pytest.mark.parametrize(
    ("payload", "kind", "name", "malformed"),
    [
        (b"\x02", "broadcast", "", False),
        (b"\x03", "all", "", False),
        (b"\x03x", "all", "", True),
        (b"\x04DSSQL\0", "instance", "DSSQL", False),
        (b"\x04DSSQL", "instance", "DSSQL", False),
        (b"\x0f\x01DSSQL\0", "dac", "DSSQL", False),
        (b"\x04" + b"x" * 33, "instance", "", True),
    ],
)
def test_requests(payload: bytes, kind: str, name: str, malformed: bool) -> None:
    found = parse_request(payload)
    assert found is not None
    assert (found.kind, found.instance, found.malformed) == (kind, name, malformed)


@pytest.mark.parametrize("payload", [b"", b"\x05", b"\x07abc", b"\x0f\x02x"])
def test_what_is_no_ssrp(payload: bytes) -> None:
    assert parse_reply(payload) is None
    assert parse_request(payload) is None


GROUP = bytes([225, 5, 10, 1])


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"\x11\x64\0\0" + bytes(4), [("query", "", 2)]),
        (b"\x11\x00\0\0" + bytes(4), [("query", "", 1)]),
        (b"\x11\x64\0\0" + GROUP + bytes(4), [("query", "225.5.10.1", 3)]),
        (b"\x12\0\0\0" + GROUP, [("join", "225.5.10.1", 1)]),
        (b"\x16\0\0\0" + GROUP, [("join", "225.5.10.1", 2)]),
        (b"\x17\0\0\0" + GROUP, [("leave", "225.5.10.1", 2)]),
        (b"\x22\0\0\0\0\0\0\x02" + b"\x04\0\0\0" + GROUP + b"\x03\0\0\0" + GROUP,
         [("join", "225.5.10.1", 3), ("leave", "225.5.10.1", 3)]),
        (b"\x22\0\0\0\0\0\0\x01" + b"\x05\0\0\x01" + GROUP + b"\x0a\0\0\x01", [("join", "225.5.10.1", 3)]),
        (b"\x22\0\0\0\0\0\xff\xff" + b"\x04\0\0\0", []),
        (b"\x16\0\0\0", []),
    ],
)  # fmt: skip
def test_igmp(payload: bytes, expected: list[tuple[str, str, int]]) -> None:
    assert [(r.kind, r.group, r.version) for r in parse_igmp(payload)] == expected


def test_mld() -> None:
    group = bytes.fromhex("ff02" + "00" * 13 + "fb")
    assert [(r.kind, r.group) for r in parse_mld(b"\x83" + bytes(7) + group)] == [("join", "ff02::fb")]
    report = b"\x8f" + bytes(6) + b"\x01" + b"\x04\0\0\0" + group
    assert [(r.kind, r.group, r.version) for r in parse_mld(report)] == [("join", "ff02::fb", 2)]


@given(st.binary(max_size=200))
def test_no_payload_makes_a_parser_raise(payload: bytes) -> None:
    for parse in (parse_reply, parse_request, parse_igmp, parse_mld):
        for head in (b"", b"\x05", b"\x22\0\0\0\0\0\xff\xff", b"\x8f\0\0\0\0\0\xff\xff"):
            parse(head + payload)


@pytest.mark.parametrize(
    ("query", "response_ms", "interval_s", "robustness"),
    [
        (b"\x11\x64\0\0" + bytes(4) + b"\x02\x7d\0\0", 10_000, 125, 2),
        (b"\x11\x64\0\0" + bytes(4) + b"\x0a\x3c\0\0", 10_000, 60, 2),  # the S flag beside QRV
        (b"\x11\x8a\0\0" + bytes(4) + b"\x07\x8f\0\0", (0x1A << 3) * 100, 31 << 3, 7),  # both as exponents
        (b"\x11\xff\0\0" + bytes(4) + b"\x00\xff\0\0", (31 << 10) * 100, 31 << 10, 0),
        (b"\x11\x64\0\0" + bytes(4), 10_000, 0, 0),  # version 2 does not say its interval
        (b"\x11\xc8\0\0" + bytes(4), 20_000, 0, 0),  # nor has it exponents
        (b"\x11\x00\0\0" + bytes(4), 0, 0, 0),
    ],
)
def test_a_query_names_its_timers(query: bytes, response_ms: int, interval_s: int, robustness: int) -> None:
    (said,) = parse_igmp(query)
    assert (said.timers.response_ms, said.timers.interval_s, said.timers.robustness) == (
        response_ms,
        interval_s,
        robustness,
    )


def test_an_mld_query_names_its_timers() -> None:
    first = b"\x82\0\0\0\x27\x10\0\0" + bytes(16)
    assert [r.timers.response_ms for r in parse_mld(first)] == [10_000]
    (second,) = parse_mld(first + b"\x02\x7d\0\0")
    assert (second.timers.response_ms, second.timers.interval_s, second.timers.robustness) == (10_000, 125, 2)
    (long,) = parse_mld(b"\x82\0\0\0\x90\x00\0\0" + bytes(16) + b"\x02\x7d\0\0")
    assert long.timers.response_ms == 0x1000 << 4
