"""SQL Server by its payloads: TDS PRELOGIN both ways, and the SSRP messages that test_evidence.py leaves out."""

from __future__ import annotations

import pytest
from payload_vectors import (
    PRELOGIN_CLIENT,
    PRELOGIN_NAMED,
    PRELOGIN_SERVER,
    SSRP_HEAD,
    SSRP_TEXT,
    TLS_CLIENT,
    hexed,
    ssrp,
)

from classifier.evidence.ssrp import Request, parse_reply, parse_request
from classifier.evidence.tds import Prelogin, is_tds, is_tls_wrapped, parse_prelogin


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (PRELOGIN_CLIENT, Prelogin("client", "9.0.0", 1, "", False)),
        (PRELOGIN_SERVER, Prelogin("server", "15.0.2000", 2, "", False)),
        (PRELOGIN_NAMED, Prelogin("client", "8.0.341", 2, "DSSQL", False)),
        (PRELOGIN_CLIENT + b"\x12\x01", Prelogin("client", "9.0.0", 1, "", False)),  # more in the segment
        (PRELOGIN_CLIENT[:47].replace(b"\x09\0\0\0\0\0", bytes(6)), Prelogin("client", "", 1, "", False)),
        (
            hexed("04 01 00 14 00 33 01 00 00 00 06 00 06 FF 10 00 0F A0 00 01"),
            Prelogin("server", "16.0.4000", -1, "", False),
        ),
    ],
)
def test_prelogins_of_both_sides(payload: bytes, expected: Prelogin) -> None:
    assert parse_prelogin(payload) == expected
    assert parse_prelogin(payload, len(payload)) == expected


def test_a_prelogin_cut_anywhere_is_found_from_its_terminator_on() -> None:
    for end in range(len(PRELOGIN_NAMED)):
        found = parse_prelogin(PRELOGIN_NAMED[:end])
        assert (found is not None) == (end >= 8 + 16), end
        if found is not None:
            assert found.cut
            assert found.version == ("8.0.341" if end >= 30 else "")
            assert found.encryption == (2 if end >= 31 else -1)
            assert found.instance == ""


def test_a_packet_that_does_not_end_in_its_segment_is_no_prelogin() -> None:
    assert parse_prelogin(PRELOGIN_CLIENT[:40], 40) is None
    assert parse_prelogin(PRELOGIN_CLIENT[:40], 47) is not None


def changed(at: int, value: int, payload: bytes = PRELOGIN_CLIENT) -> bytes:
    return payload[:at] + bytes((value,)) + payload[at + 1 :]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (changed(0, 0x10), "a login"),
        (changed(0, 0x03), "a call"),
        (changed(1, 0x00), "not the last packet of its message"),
        (changed(2, 0x40), "longer than any before login"),
        (changed(7, 0x01), "window"),
        (changed(8, 0x01), "VERSION is not first"),
        (changed(12, 0x04), "a version of four bytes"),
        (changed(10, 0x2F), "the version ends behind the packet"),
        (changed(10, 0x05), "the version lies in the option list"),
        (changed(20, 0x27), "an offset behind the packet"),
        (changed(13, 0x00), "VERSION twice"),
        (changed(18, 0x01), "ENCRYPTION twice"),
        (changed(33, 0x09), "no terminator"),
        (hexed("04 01 00 20 00 33 01 00 AD 14 00 01 74 00 00 04") + bytes(16), "a LOGINACK"),
        (hexed("04 01 00 15 00 33 01 00 FD 10 00 C1 00 01 00 00 00 00 00 00 00"), "a DONE"),
        (hexed("12 01 00 0E 00 00 01 00 00 00 06 00 06 FF"), "only VERSION without its value"),
        (hexed("12 01 00 09 00 00 01 00 FF") + bytes(8), "an empty list"),
        (TLS_CLIENT, "TLS, as TDS 8.0 begins"),
    ],
)
def test_what_is_no_prelogin(payload: bytes, why: str) -> None:
    assert parse_prelogin(payload) is None


def wrapped(data: bytes, kind: int = 0x12) -> bytes:
    return bytes((kind, 1)) + (8 + len(data)).to_bytes(2, "big") + bytes(4) + data


def test_tls_inside_packets_of_type_12() -> None:
    assert is_tls_wrapped(wrapped(TLS_CLIENT))
    assert is_tls_wrapped(wrapped(TLS_CLIENT)[:13])
    assert not is_tls_wrapped(wrapped(TLS_CLIENT)[:12])
    assert parse_prelogin(wrapped(TLS_CLIENT)) is None
    for other in (
        TLS_CLIENT,
        PRELOGIN_CLIENT,
        PRELOGIN_SERVER,
        wrapped(TLS_CLIENT, 0x10),
        wrapped(b"\x18\x03\x03\0\1x"),
    ):
        assert not is_tls_wrapped(other)


@pytest.mark.parametrize(
    ("payload", "size", "expected"),
    [
        (PRELOGIN_CLIENT, None, True),
        (PRELOGIN_CLIENT[:8], 47, True),
        (PRELOGIN_CLIENT[:8], None, False),
        (hexed("01 01 00 0C 00 00 01 00") + b"s\0e\0", None, True),
        (hexed("01 00 10 00 00 00 01 00") + bytes(100), 4096, True),
        (hexed("03 00 00 13 0E E0 00 00 00 00 00 01 00 08 00 03 00 00 00"), None, False),  # TPKT, as RDP begins
        (hexed("05 01 00 0C 00 00 01 00") + bytes(4), None, False),
        (hexed("01 03 00 0C 00 00 01 00") + bytes(4), None, False),
        (hexed("01 01 00 0C 00 00 01 01") + bytes(4), None, False),
        (hexed("00 01 00 00 00 06 01 03 00 00 00 0A"), None, False),  # Modbus
    ],
)
def test_the_weak_test_of_a_header(payload: bytes, size: int | None, expected: bool) -> None:
    assert is_tds(payload, size) is expected


def test_the_worm_and_other_long_names_teach_nothing() -> None:
    slammer = b"\x04" + b"\x01" * 96 + hexed("DC C9 B0 42 EB 0E 01 01 01 01 01 01 01 70 AE 42") + b"\x90" * 263
    assert len(slammer) == 376
    assert parse_request(slammer) == Request("instance", "", True, True)
    assert parse_request(b"\x0f\x01" + b"x" * 33 + b"\0") == Request("dac", "", True, True)
    assert parse_request(b"\x04" + b"x" * 32 + b"\0") == Request("instance", "x" * 32, False)


@pytest.mark.parametrize("payload", [b"\x04", b"\x04\0", b"\x04A\0B", b"\x0f\x01", b"\x02\0", b"\x03\0"])
def test_malformed_requests(payload: bytes) -> None:
    found = parse_request(payload)
    assert found is not None and found.malformed and not found.over_long


@pytest.mark.parametrize(
    "payload",
    [
        b"\x05\x10\x00SomethingElse;;;",
        b"\x05\x00\x0b\x03\x10\x00\x00\x00",  # DCE/RPC
        b"\x05\x01\x00",  # SOCKS: reply in three bytes is allowed to say nothing, this one says one byte is missing
        b"\x05\x64\x00Xerver",
    ],
)
def test_what_else_begins_with_five(payload: bytes) -> None:
    found = parse_reply(payload)
    assert found is None or (found.instances == () and found.truncated)


def test_a_reply_longer_than_its_size_is_read_and_marked() -> None:
    found = parse_reply(ssrp(SSRP_TEXT, 20))
    assert found is not None
    assert ([i.tcp_port for i in found.instances], found.mismatch, found.truncated) == ([1433], True, False)


def test_a_dac_reply_without_a_port_teaches_none() -> None:
    for payload, truncated in ((b"\x05\x06\x00\x01\x00\x00", False), (b"\x05\x06\x00\x01\x9a", True)):
        found = parse_reply(payload)
        assert found is not None
        assert (found.dac_port, found.truncated) == (None, truncated)


def test_a_reply_cut_anywhere_never_gives_a_wrong_port() -> None:
    whole = ssrp(SSRP_HEAD + rb"np;\\W\pipe\x;tcp;50492;;" + SSRP_TEXT)
    for end in range(len(whole)):
        found = parse_reply(whole[:end])
        if end >= 3:
            assert found is not None and found.truncated
            assert {i.tcp_port for i in found.instances} <= {None, 50492, 1433}
