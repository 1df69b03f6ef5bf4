"""Payloads of SSDP, WS-Discovery and DNS."""

from __future__ import annotations

import pytest
from payload_vectors import (
    DNS_QUERY,
    DNS_REPLY,
    MDNS_REPLY,
    SSDP_NOTIFY,
    SSDP_REPLY,
    SSDP_SEARCH,
    WSD_MATCHES,
    WSD_PROBE,
    dns_name,
    hexed,
    wsd,
)

from classifier.evidence.dns import Dns, parse_dns
from classifier.evidence.ssdp import Ssdp, parse_ssdp
from classifier.evidence.wsd import Wsd, parse_wsd


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (SSDP_SEARCH, Ssdp("search", "urn:schemas-upnp-org:device:Basic:1", "", "", "", 3, False)),
        (
            SSDP_REPLY,
            Ssdp(
                "reply",
                "upnp:rootdevice",
                "uuid:2fac-1::upnp:rootdevice",
                "10.0.0.31:49152",
                "Linux/2.6 UPnP/1.0 Cam/1.2",
                -1,
                False,
            ),
        ),
        (
            SSDP_NOTIFY,
            Ssdp("notify", "upnp:rootdevice", "uuid:2fac-1::upnp:rootdevice", "10.0.0.31", "", -1, False),
        ),
        (
            b"NOTIFY * HTTP/1.1\r\nNT: x\r\nNTS: ssdp:byebye\r\nUSN: u\r\n\r\n",
            Ssdp("notify", "x", "u", "", "", -1, True),
        ),
        (b"M-SEARCH * HTTP/1.1\nmx: 99999999999\nst:ssdp:all\n\n", Ssdp("search", "ssdp:all", "", "", "", -1, False)),
        (b"M-SEARCH * HTTP/1.1\r\nMX: 7000\r\n\r\n", Ssdp("search", "", "", "", "", 120, False)),
        (b"M-SEARCH * HTTP/1.1\r\nMX: \xb2\r\n\r\n", Ssdp("search", "", "", "", "", -1, False)),
        (
            b"HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: http://[fe80::7]:80/d\r\n\r\n",
            Ssdp("reply", "x", "", "[fe80::7]:80", "", -1, False),
        ),
        (b"NOTIFY /event HTTP/1.1\r\nNT: upnp:event\r\n\r\n", None),  # GENA
        (b"NOTIFY sip:a@b SIP/2.0\r\n\r\n", None),
        (b"M-SEARCH /x HTTP/1.1\r\n\r\n", None),
        (b"HTTP/1.1 404 Not Found\r\nST: x\r\n\r\n", None),
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n", None),
        (b"RTSP/1.0 200 OK\r\nST: x\r\n\r\n", None),
        (b"OPTIONS * HTTP/1.1\r\n\r\n", None),
        (b" " + SSDP_SEARCH, None),
    ],
)
def test_ssdp(payload: bytes, expected: Ssdp | None) -> None:
    assert parse_ssdp(payload) == expected


def test_no_credentials_of_a_location_are_kept() -> None:
    assert "secret" not in repr(parse_ssdp(SSDP_NOTIFY))


def test_an_ssdp_message_cut_anywhere_says_less_but_nothing_else() -> None:
    whole = parse_ssdp(SSDP_REPLY)
    for end in range(len(SSDP_REPLY)):
        found = parse_ssdp(SSDP_REPLY[:end])
        if found is not None:
            assert found.usn in ("", whole.usn) and found.location in ("", "10.0.0.31:49152")  # type: ignore[union-attr]


CAMERA = Wsd(
    "ProbeMatches",
    ("dn:NetworkVideoTransmitter", "tds:Device"),
    ("10.0.0.31", "[fe80::1]:8080"),
    "DS-2CD",
    "Gate North",
    False,
)


def test_a_search_for_cameras_and_the_answer_of_one() -> None:
    found = parse_wsd(WSD_PROBE)
    assert found == Wsd("Probe", ("dn:NetworkVideoTransmitter",), (), "", "", False)
    assert found.is_camera
    assert parse_wsd(WSD_MATCHES) == CAMERA


@pytest.mark.parametrize(
    "prolog", [b"", b"\xef\xbb\xbf<?xml version='1.0'?>", b"\r\n\t", b"<?xml version='1.0'?><!-- x -->"]
)
@pytest.mark.parametrize("kind", ["Hello", "Bye", "Probe", "Resolve", "ResolveMatches"])
def test_every_kind_with_and_without_a_prolog(prolog: bytes, kind: str) -> None:
    found = parse_wsd(wsd(kind.encode(), b"<d:Types>pn:Printer</d:Types>", prolog))
    assert found is not None
    assert (found.kind, found.types, found.is_camera) == (kind, ("pn:Printer",), False)


def test_other_prefixes_and_the_later_namespace() -> None:
    new = b"http://docs.oasis-open.org/ws-dd/ns/discovery/2009/01"
    old = b"http://schemas.xmlsoap.org/ws/2005/04/discovery"
    payload = WSD_MATCHES.replace(old, new).replace(b"<d:", b"<wsdd:").replace(b"<s:", b"<SOAP-ENV:")
    payload = payload.replace(b"</d:", b"</wsdd:").replace(b"</s:", b"</SOAP-ENV:")
    assert parse_wsd(payload) == CAMERA
    default = WSD_MATCHES.replace(b"<d:", b"<").replace(b"</d:", b"</")
    assert parse_wsd(default) == CAMERA


def test_without_an_action_the_body_says_what_it_is() -> None:
    start, end = WSD_PROBE.index(b"<a:Action"), WSD_PROBE.index(b"</s:Header>")
    found = parse_wsd(WSD_PROBE[:start] + WSD_PROBE[end:])
    assert found is not None and found.kind == "Probe"


def test_a_cut_answer_never_gives_a_part_of_a_value() -> None:
    for end in range(len(WSD_MATCHES)):
        found = parse_wsd(WSD_MATCHES[:end])
        if found is not None:
            assert found.cut
            assert found.types in ((), CAMERA.types)
            assert found.hosts in ((), CAMERA.hosts)
            assert (found.hardware, found.name) in (("", ""), ("DS-2CD", "Gate North"))


def test_entities_are_not_expanded_and_lists_are_bounded() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>' + WSD_PROBE[39:]
    assert parse_wsd(bomb) is None
    many = parse_wsd(
        wsd(b"Hello", b"<d:Types>" + b"a:b " * 2000 + b"&b;</d:Types>" + b"<d:XAddrs>http://h/</d:XAddrs>" * 999)
    )
    assert many is not None
    assert (len(many.types), many.hosts) == (32, ("h",))


@pytest.mark.parametrize(
    "payload",
    [
        b"<?xml version='1.0'?><root/>",
        WSD_PROBE.replace(b"2005/04/discovery", b"2005/04/other"),
        WSD_PROBE.replace(b"/discovery/Probe<", b"/discovery/Fault<"),
        WSD_PROBE.replace(b"soap-envelope", b"soap-other"),
        WSD_PROBE.replace(b"s:Envelope", b"s:Letter"),
        b"POST / HTTP/1.1\r\n\r\n" + WSD_PROBE,  # the same over HTTP is not discovery by datagram
        WSD_PROBE.decode().encode("utf-16"),
    ],
)
def test_what_is_no_ws_discovery(payload: bytes) -> None:
    assert parse_wsd(payload) is None


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (DNS_QUERY, Dns(False, 0, 0, 1, 0, "cam1.example.org", 1, False)),
        (DNS_REPLY, Dns(True, 0, 0, 1, 1, "cam1.example.org", 1, False)),
        (MDNS_REPLY, Dns(True, 0, 0, 0, 1, "_axis-video._tcp.local", 12, False)),
        (hexed("0001 8183 0001 0000 0000 0000 00 0002 0001"), Dns(True, 0, 3, 1, 0, ".", 2, False)),
        (
            hexed("0001 0100 0001 0000 0000 0000 04 61 2e 5c ff 00 0010 8001"),
            Dns(False, 0, 0, 1, 0, r"a\.\\\255", 16, False),
        ),
        (  # NetBIOS name query
            hexed("0001 0110 0001 0000 0000 0000") + dns_name(b"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA") + hexed("0021 0001"),
            Dns(False, 0, 0, 1, 0, "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 33, False),
        ),
        (hexed("0001 0100 0001 0000 0000 0000 c00c 0001 0001"), None),  # a name that points to itself
        (hexed("0001 0100 0001 0000 0000 0000 40") + bytes(70), None),  # a label of 64
        (hexed("0001 0100 0001 0000 0000 0000") + dns_name(b".".join([b"x" * 63] * 4)) + hexed("0001 0001"), None),
        (hexed("0001 0140 0001 0000 0000 0000 00 0001 0001"), None),  # reserved bit
        (hexed("0001 0103 0001 0000 0000 0000 00 0001 0001"), None),  # a query with a response code
        (hexed("0001 1900 0001 0000 0000 0000 00 0001 0001"), None),  # opcode 3
        (hexed("0001 0100 0001 0000 0000 0000 00 0001 0909"), None),  # class
        (hexed("0001 0100 0000 0000 0000 0000") + bytes(20), None),  # nothing asked
        (hexed("0001 8180 0001 ffff 0000 0000 00 0001 0001"), None),  # 65,535 records in no bytes
        (DNS_QUERY[:-1], None),
        (DNS_QUERY[:11], None),
        (bytes(40), None),
    ],
)
def test_dns(payload: bytes, expected: Dns | None) -> None:
    assert parse_dns(payload) == expected


def test_dns_cut_by_a_snaplen_never_gives_a_part_of_a_name() -> None:
    size = len(DNS_REPLY)
    name_end = 12 + 18
    for end in range(12, size):
        found = parse_dns(DNS_REPLY[:end], size)
        assert found is not None and found.cut
        assert found.name == ("cam1.example.org" if end >= name_end else "")
        assert found.kind == (1 if end >= name_end + 4 else -1)
