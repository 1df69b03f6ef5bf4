"""TLS, DTLS, QUIC and STUN: what their first bytes say."""

from __future__ import annotations

import ssl

import pytest
from payload_vectors import (
    DTLS_CLIENT,
    DTLS_VERIFY,
    QUIC2_CLIENT,
    QUIC2_RETRY,
    QUIC_CLIENT,
    QUIC_NEGOTIATION,
    QUIC_RETRY,
    QUIC_SERVER,
    STUN_INDICATION,
    STUN_REQUEST,
    TLS_CLIENT,
    TLS_SERVER,
    client_hello,
    dtls,
    extension,
    handshake,
    hexed,
    record,
    server_hello,
    sni,
)
from quic_headers import Quic, parse_quic
from stun_messages import Stun, parse_stun

from classifier.evidence.tls import (
    ClientHello,
    DtlsHello,
    ServerHello,
    parse_client_hello,
    parse_dtls_hello,
    parse_server_hello,
    record_kind,
)

WHOLE = ClientHello("vms.example.org", ("h2", "http/1.1"), ("TLS 1.3", "TLS 1.2"), False)


def test_a_client_hello() -> None:
    assert parse_client_hello(TLS_CLIENT) == WHOLE


def test_a_client_hello_of_a_real_library() -> None:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname="cam7.example.net")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    data = sent.read()
    found = parse_client_hello(data)
    assert found is not None
    assert (found.sni, found.alpn, found.cut) == ("cam7.example.net", ("h2", "http/1.1"), False)
    assert "TLS 1.3" in found.versions
    assert record_kind(data) == "handshake"


@pytest.mark.parametrize("size", [3, 4, 5, 7, 50, 100])
def test_a_client_hello_in_several_records(size: int) -> None:
    message = TLS_CLIENT[5:]
    parts = [message[at : at + size] for at in range(0, len(message), size)]
    assert parse_client_hello(b"".join(map(record, parts))) == WHOLE


def test_a_client_hello_in_more_records_than_are_joined_is_cut() -> None:
    message = TLS_CLIENT[5:]
    found = parse_client_hello(b"".join(record(message[at : at + 1]) for at in range(len(message))))
    assert found is not None and found.cut and not found.alpn


def test_a_client_hello_cut_anywhere_never_gives_a_part_of_a_name() -> None:
    names = set()
    for end in range(len(TLS_CLIENT)):
        found = parse_client_hello(TLS_CLIENT[:end])
        if end < 11:
            assert found is None
        if found is not None:
            assert found.cut
            names.add(found.sni)
            assert found.versions == ("TLS 1.2",)  # the extension that says 1.3 comes last
            assert found.alpn in ((), ("h2", "http/1.1"))
    assert names == {"", "vms.example.org"}


def test_an_old_client_hello_without_extensions() -> None:
    assert parse_client_hello(record(handshake(1, client_hello(None, 0x0301)), version=0x0300)) == ClientHello(
        "", (), ("TLS 1.0",), False
    )


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (TLS_SERVER, "a server's"),
        (b"\x17" + TLS_CLIENT[1:], "application data"),
        (b"\x16\x02" + TLS_CLIENT[2:], "version 2.1"),
        (b"\x16\x03\x01\xff\xff" + TLS_CLIENT[5:], "a record longer than any"),
        (record(handshake(1, client_hello(b"")) + b"\x0b\0\0\0"), "a message behind it in the record"),
        (record(handshake(1, client_hello(None)[:38])), "shorter than its fields"),
        (record(handshake(1, client_hello(b"")[:34] + b"\x21" + bytes(80))), "a session of 33 bytes"),
        (record(handshake(1, client_hello(sni(b"x") + b"\0\x10\0\x09"))), "an extension that ends behind the message"),
        (record(handshake(1, client_hello(b"", 0x0505))), "an unknown version"),
        (record(handshake(1, client_hello(None) + b"\x00")), "half a length of extensions"),
        (record(b"\x01\x00\x00\x05hello"), "a message too short"),
    ],
)
def test_what_is_no_client_hello(payload: bytes, why: str) -> None:
    assert parse_client_hello(payload) is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (TLS_SERVER, ServerHello("TLS 1.3", 0x1301, "", False)),
        (
            record(handshake(2, server_hello(extension(16, b"\x00\x03\x02h2"))) + handshake(11, bytes(9))),
            ServerHello("TLS 1.2", 0x1301, "h2", False),
        ),
        (record(handshake(2, server_hello(None, 0x0301))), ServerHello("TLS 1.0", 0x1301, "", False)),
        (TLS_SERVER[:-1], ServerHello("", 0x1301, "", True)),
        (TLS_CLIENT, None),
        (record(handshake(2, bytes(80))), None),
    ],
)
def test_server_hellos(payload: bytes, expected: ServerHello | None) -> None:
    assert parse_server_hello(payload) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (TLS_CLIENT, "handshake"),
        (TLS_CLIENT[:5], "handshake"),
        (record(b"\x01\x00", 21, 0x0303), "alert"),
        (record(b"\x01", 20, 0x0303) + record(bytes(32), 22, 0x0303), "change_cipher_spec"),
        (record(bytes(900), 23, 0x0303) + record(bytes(90), 23, 0x0303)[:30], "application"),
        (record(bytes(900), 23, 0x0303) + b"GET / HTTP/1.1", None),
        (record(b"\x01\x01", 20), None),
        (record(b"", 21), None),
        (record(bytes(2), 24), None),
        (record(bytes(2), 22, 0x0305), None),
        (b"\x16\x03\x01\x48\x01", None),
        (b"\x17\x03\x03\x00", None),
        (b"\x80\x2e\x01\x03\x01\x00\x15", None),  # a hello of SSL 2
    ],
)
def test_records(payload: bytes, expected: str | None) -> None:
    assert record_kind(payload) == expected


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (DTLS_CLIENT, DtlsHello("client", ("DTLS 1.2",), "cam.example.org", False)),
        (dtls(1, client_hello(None, 0xFEFF, b""), 0xFEFF), DtlsHello("client", ("DTLS 1.0",), "", False)),
        (
            dtls(1, client_hello(extension(43, b"\x04\xfe\xfc\xfe\xfd"), 0xFEFD, b"")),
            DtlsHello("client", ("DTLS 1.3", "DTLS 1.2"), "", False),
        ),
        (dtls(1, client_hello(sni(b"cam"), 0xFEFD, b""), first=50), DtlsHello("client", ("DTLS 1.2",), "", True)),
        (dtls(2, server_hello(None, 0xFEFD)), DtlsHello("server", ("DTLS 1.2",), "", False)),
        (DTLS_VERIFY, DtlsHello("verify", (), "", False)),
        (dtls(1, client_hello(b"", 0x0303, b"")), None),
        (dtls(11, bytes(60)), None),
        (b"\x16\xfe\xfd\x00\x01" + DTLS_CLIENT[5:], None),  # epoch 1 is encrypted
        (DTLS_CLIENT[:19] + b"\0\0\1" + DTLS_CLIENT[22:], None),  # not the first fragment
        (b"\x17" + DTLS_CLIENT[1:], None),
        (TLS_CLIENT, None),
    ],
)
def test_dtls_hellos(payload: bytes, expected: DtlsHello | None) -> None:
    assert parse_dtls_hello(payload) == expected


CLIENT_ID, SERVER_ID = bytes.fromhex("8394c8f03e515708"), bytes.fromhex("f067a5502a4262b5")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (QUIC_CLIENT, Quic("initial", "1", CLIENT_ID, b"", (), True)),
        (QUIC_SERVER, Quic("initial", "1", b"", SERVER_ID, (), False)),
        (QUIC_RETRY, Quic("retry", "1", b"", SERVER_ID, (), False)),
        (QUIC2_CLIENT, Quic("initial", "2", CLIENT_ID, b"", (), True)),
        (QUIC2_RETRY, Quic("retry", "2", b"", SERVER_ID, (), False)),
        (QUIC_NEGOTIATION, Quic("negotiation", "", b"\1\2", b"\3\4\5", ("1", "2"), False)),
        (b"\xcd\xff\x00\x00\x1d" + QUIC_CLIENT[5:], Quic("initial", "draft-29", CLIENT_ID, b"", (), True)),
        (b"\xe0" + QUIC_SERVER[1:15] + hexed("4075") + bytes(117), Quic("handshake", "1", b"", SERVER_ID, (), False)),
        (b"\xe0" + QUIC_SERVER[1:15] + hexed("4075") + bytes(116), None),  # a byte less than its length field says
        (b"\xe0" + QUIC_SERVER[1:15] + hexed("13") + bytes(19), None),  # too short to be protected
        (b"\x40" + QUIC_CLIENT[1:], None),  # short header
        (b"\x80" + QUIC_CLIENT[1:], None),  # without the fixed bit
        (QUIC_CLIENT[:1] + b"\0\0\0\3" + QUIC_CLIENT[5:], None),  # an unknown version
        (QUIC_CLIENT[:5] + b"\x15" + QUIC_CLIENT[6:], None),  # an ID of 21 bytes
        (QUIC_CLIENT[:-1], None),  # shorter than its length field
        (QUIC_NEGOTIATION[:-1], None),
        (hexed("80 00000000 00 00 12345678"), None),  # a negotiation that offers nothing known
        (hexed("80 00000000 00 00"), None),
        (b"\xff" * 1200, None),
        (hexed("c0 00000001") + bytes(8), None),
    ],
)
def test_quic(payload: bytes, expected: Quic | None) -> None:
    assert parse_quic(payload) == expected


def test_a_quic_initial_cut_by_a_snaplen() -> None:
    assert parse_quic(QUIC_CLIENT[:20]) is None
    assert parse_quic(QUIC_CLIENT[:20], 1200) == parse_quic(QUIC_CLIENT)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (STUN_REQUEST, Stun("request", "binding", False)),
        (STUN_INDICATION, Stun("indication", "binding", False)),
        (b"\x01\x01" + STUN_REQUEST[2:], Stun("success", "binding", False)),
        (b"\x01\x11" + STUN_REQUEST[2:], Stun("error", "binding", False)),
        (b"\x00\x03" + STUN_REQUEST[2:], Stun("request", "allocate", False)),
        (b"\x00\x16" + STUN_REQUEST[2:], Stun("indication", "send", False)),
        (b"\x3e\xef" + STUN_REQUEST[2:], Stun("request", "0xfff", False)),
        (STUN_REQUEST + STUN_INDICATION, Stun("request", "binding", False)),  # over TCP
        (b"\x40" + STUN_REQUEST[1:], None),  # ChannelData of TURN
        (b"\x80" + STUN_REQUEST[1:], None),  # RTP
        (STUN_REQUEST[:4] + b"\x21\x12\xa4\x43" + STUN_REQUEST[8:], None),  # RFC 3489 has no cookie
        (STUN_REQUEST[:-4], None),
        (STUN_REQUEST[:2] + b"\x00\x57" + STUN_REQUEST[4:], None),
        (STUN_REQUEST[:2] + b"\x00\x54" + STUN_REQUEST[4:], None),  # ends inside an attribute's value
        (STUN_REQUEST[:22] + b"\x01\x00" + STUN_REQUEST[24:], None),
    ],
)
def test_stun(payload: bytes, expected: Stun | None) -> None:
    found = parse_stun(payload)
    assert found == expected


def test_stun_cut_by_a_snaplen() -> None:
    assert parse_stun(STUN_REQUEST[:40], len(STUN_REQUEST)) == Stun("request", "binding", True)
