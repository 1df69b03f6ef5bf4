"""What payloads begin with: the sniffer against byte vectors by hand and against its plain twin, at both speeds."""

from __future__ import annotations

import random
import struct

import numpy as np
import payload_vectors as vectors
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from payload_vectors import hexed, rtp, ts_packet
from quic_headers import parse_quic
from reference_payloads import TCP, UDP, Hint, hint_of
from stun_messages import parse_stun

from captures.makers import payloads as made
from classifier.columns import PACKET
from classifier.decode.hints import HINTS, WANTED
from classifier.jit import speed, view

ICMP = 1
MAGIC = hexed("d151f027")


def sniffed(
    protocol: int, data: bytes, size: int | None = None, *, compiled: bool = False, before: int = 0, offset: int = 0
) -> tuple[Hint, np.ndarray]:
    """The kernel's hint and the row; the payload ends with the buffer, so that reads past it raise when interpreted."""
    rows = np.zeros(1, PACKET)
    rows["proto"], rows["payload_at"], rows["frag_offset"] = protocol, before, offset
    rows["payload_captured"], rows["payload"] = len(data), len(data) if size is None else size
    rows["hint"] = 0xFF
    speed(compiled).sniff_batch(view(bytes(before) + data, compiled), rows, 1)
    code = int(rows["hint"][0])
    return (HINTS[code & ~WANTED], bool(code & WANTED)), rows


def check(protocol: int, data: bytes, size: int) -> None:
    expected = hint_of(protocol, data, size)
    for compiled in (False, True):
        found, row = sniffed(protocol, data, size, compiled=compiled, before=3)
        assert found == expected, (compiled, protocol, size, data)
        if expected[0] == "rtp":
            kind, seq, stamp, ssrc = struct.unpack_from(">xBHII", data)
            header = [int(row[name][0]) for name in ("tcp_flags", "window", "ack", "seq")]
            assert header == [kind, seq, stamp, ssrc]


RNG = random.Random(4)
TS = vectors.TS
GET = b"GET /Interface/Cameras/GetSnapshot?Camera=1 HTTP/1.1\r\n\r\n"
SMB = b"\0\0\0\x44\xfeSMB" + bytes(64)

POSITIVE: dict[str, list[tuple[int, bytes]]] = {
    "digifort": [
        (TCP, hexed("d151f027 0000003b 01 05 4c4f47494e 00000030 01 01000000 05 4e4f4e4345 08 20000000") + b"0" * 32),
        (TCP, hexed("d151f027 00000041 01 15") + b"CMD_ANALYTICS_VERSION"),
        (TCP, hexed("d151f027 00000012 01 0c") + b"CMD_LPR_PING" + bytes(4)),
        (TCP, MAGIC),
        (TCP, MAGIC + b"\0\0"),
    ],
    "http_request": [
        (TCP, b"GET / HTTP/1.0\r\n\r\n"),
        (TCP, b"POST /x HTTP/1.1\nHost: a\n\n"),
        (TCP, b"CONNECT vms:443 HTTP/1.1\r\n\r\n"),
        (TCP, b"OPTIONS * HTTP/1.1\r\n\r\n"),
        (TCP, b"GET /a/path/that/the/snaplen/cut"),
        (TCP, b"GET http://cam/x"),
        (TCP, GET),
        (TCP, b"get".upper() + b" /" + b"a" * 4000),
    ],
    "http_reply": [(TCP, b"HTTP/1.1 200 OK\r\n\r\n"), (TCP, b"HTTP"), (TCP, made.digifort_refusal())],
    "rtsp_request": [
        (TCP, b"DESCRIBE rtsp://cam/1 RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (TCP, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
        (TCP, b"GET_PARAMETER rtsp://cam/1 RTSP/1.0\r\n\r\n"),
        (TCP, b"SETUP rtsp://cam/tra"),
        (TCP, b"OPTIONS rtsp://cam/tra"),
        (TCP, b"PLAY /Interface/Cameras/Media?Camera"),
    ],
    "rtsp_reply": [(TCP, b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n")],
    "tls": [
        (TCP, vectors.TLS_CLIENT),
        (TCP, vectors.TLS_SERVER),
        (TCP, hexed("17 0303 0010") + bytes(16)),
        (UDP, vectors.DTLS_CLIENT),
    ],
    "tds_request": [(TCP, vectors.PRELOGIN_CLIENT), (TCP, vectors.PRELOGIN_NAMED)],
    "tds_reply": [(TCP, vectors.PRELOGIN_SERVER)],
    "httpu": [(UDP, vectors.SSDP_SEARCH), (UDP, vectors.SSDP_REPLY), (UDP, vectors.SSDP_NOTIFY)],
    "soap": [(UDP, vectors.WSD_PROBE), (UDP, vectors.WSD_MATCHES)],
    "rtp": [(UDP, rtp(1, kind=kind)) for kind in (0, 8, 26, 33, 34, 96, 127)]
    + [(UDP, vectors.RTP_FULL), (UDP, rtp(9, body=b""))],
    "rtcp": [(UDP, vectors.RTCP_SR), (UDP, vectors.RTCP_SR + vectors.RTCP_SDES), (UDP, vectors.RTCP_RR_EMPTY)],
    "mpegts": [(UDP, TS), (UDP, ts_packet(0, 0))],
    "stun": [(UDP, vectors.STUN_REQUEST), (UDP, vectors.STUN_INDICATION)],
    "quic": [(UDP, vectors.QUIC_CLIENT), (UDP, vectors.QUIC_RETRY), (UDP, vectors.QUIC2_CLIENT)],
    "foreign": [
        (TCP, b"SSH-2.0-OpenSSH_9.2\r\n"),
        (TCP, b"220 mail ESMTP\r\n"),
        (TCP, b"RFB 003.008\n"),
        (TCP, SMB),
        (TCP, b"BJNP\x01\x01"),
        (UDP, b"MFNP\x01\x01"),
    ],
}

LOOK_ALIKE: dict[str, tuple[int, bytes, int | None]] = {
    "the magic at offset 1": (TCP, b"\0" + MAGIC + bytes(20), None),
    "three bytes of the magic": (TCP, MAGIC[:3], 67),
    "the magic by UDP": (UDP, MAGIC + hexed("00000012 01"), None),
    "a frame of five bytes": (TCP, MAGIC + hexed("00000005") + bytes(5), None),
    "a frame of 2 GiB": (TCP, MAGIC + hexed("80000000") + bytes(5), None),
    "a word that a method begins": (TCP, b"POSTAL code 12\r\n", None),
    "a sentence": (TCP, b"GET out of here\r\n", None),
    "a sentence that is cut": (TCP, b"GET out of here", 400),
    "a method without a target": (TCP, b"PLAYERS", None),
    "text behind a method": (TCP, b"HEADlines of today, in one long line", None),
    "an options line that may be either's": (TCP, b"OPTIONS /x", 300),
    "control bytes behind a method": (TCP, b"GET \x01\x02 HTTP/1.1\r\n\r\n", None),
    "HTTP/2's preface": (TCP, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
    "a protocol glued to the path": (TCP, b"GET /fileHTTP/1.1\r\n\r\n", None),
    "SIP": (TCP, b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", None),
    "HTTP without a slash": (TCP, b"HTTPS is not it", None),
    "a TLS record of no bytes": (TCP, hexed("16 0301 0000 01"), None),
    "a TLS record that is too long": (TCP, hexed("16 0301 4801 01"), None),
    "a TLS version that is none": (TCP, hexed("16 0305 0010 01") + bytes(16), None),
    "TDS: a table result that is no prelogin": (TCP, hexed("04 01 0040 0033 01 00 e3 1b 00 01 06") + bytes(60), None),
    "TDS: longer than its segment": (TCP, vectors.PRELOGIN_CLIENT, 20),
    "TDS: a list without an end": (TCP, vectors.PRELOGIN_CLIENT[:33] + b"\0" + vectors.PRELOGIN_CLIENT[34:], None),
    "RTP of version 1": (UDP, b"\x40" + rtp(1)[1:], None),
    "RTP of a payload type that nobody has": (UDP, rtp(1, kind=72), None),
    "RTP cut in its header": (UDP, rtp(1)[:11], 1000),
    "RTP whose sources do not fit": (UDP, b"\x8f" + rtp(1, body=b"")[1:], None),
    "RTCP longer than the datagram": (UDP, vectors.RTCP_SR[:-4], None),
    "RTCP with two bytes too many": (UDP, vectors.RTCP_SR + b"\0\0", None),
    "RTCP that a source description begins": (UDP, vectors.RTCP_SDES, None),
    "RTCP: padding in the first packet": (UDP, b"\xa1" + vectors.RTCP_SR[1:], None),
    "one byte more than transport stream packets": (UDP, TS + b"\0", None),
    "a lost sync byte": (UDP, TS[:188] + b"\0" + TS[189:], None),
    "a G": (UDP, b"GET / HTTP/1.1\r\n\r\n", None),
    "STUN without its cookie": (UDP, hexed("0001 0000 2112a443") + bytes(12), None),
    "STUN of an odd length": (UDP, hexed("0001 0003 2112a442") + bytes(15), None),
    "QUIC of an unknown version": (UDP, b"\xc0\0\0\0\5" + bytes(30), None),
    "QUIC with an endless connection id": (UDP, b"\xc0\0\0\0\1\x15" + bytes(30), None),
    "a SIP notification": (UDP, b"NOTIFY sip:a@b SIP/2.0\r\n\r\n", None),
    "a notice": (UDP, b"NOTICE *", None),
    "XML that is no envelope": (UDP, b"<html><Event><Envelope>", None),
    "SMB's name alone": (TCP, b"\xfeSMB" + bytes(60), None),
    "nothing": (TCP, b"", None),
    "zeros": (UDP, bytes(64), None),
}


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("name", POSITIVE)
def test_each_kind_of_payload_is_known_by_its_first_bytes(name: str, compiled: bool) -> None:
    for protocol, data in POSITIVE[name]:
        assert sniffed(protocol, data, compiled=compiled)[0][0] == name, data[:40]
        assert sniffed(ICMP, data, compiled=compiled)[0] == ("", False)
        assert sniffed(protocol, data, compiled=compiled, offset=1480)[0] == ("", False), "a later fragment"


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", LOOK_ALIKE)
def test_what_only_looks_alike_has_no_hint(case: str, compiled: bool) -> None:
    protocol, data, size = LOOK_ALIKE[case]
    assert sniffed(protocol, data, size, compiled=compiled)[0] == ("", False)


def test_every_hint_has_a_vector() -> None:
    assert set(POSITIVE) == set(HINTS[1:])


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (GET, True),
        (GET.lower().replace(b"get", b"GET").replace(b"http", b"HTTP"), True),
        (b"POST /INTERFACE/x HTTP/1.1\r\n\r\n", True),
        (b"GET /Interfaces HTTP/1.1\r\n\r\n", True),  # the parser knows better
        (b"GET /inter HTTP/1.1\r\n\r\n", False),
        (b"GET /x/Interface/ HTTP/1.1\r\n\r\n", False),
        (made.digifort_refusal(), True),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        (vectors.TLS_CLIENT, True),
        (vectors.TLS_SERVER, False),
        (b"SETUP rtsp://cam/1 RTSP/1.0\r\n\r\n", True),
        (b"OPTIONS rtsp://cam/1 RTSP/1.0\r\n\r\n", False),
    ],
)
def test_payloads_that_should_be_read_however_many_there_were(data: bytes, wanted: bool) -> None:
    assert sniffed(TCP, data)[0][1] is wanted


@pytest.mark.parametrize("cut", range(8, len(vectors.RTCP_SR + vectors.RTCP_SDES)))
def test_a_compound_report_is_known_wherever_the_snaplen_cuts_it(cut: int) -> None:
    whole = vectors.RTCP_SR + vectors.RTCP_SDES
    assert sniffed(UDP, whole[:cut], len(whole))[0] == ("rtcp", False)


VALID = [
    *(item for items in POSITIVE.values() for item in items),
    *((protocol, data) for items in vectors.VECTORS.values() for data in items for protocol in (TCP, UDP)),
    *((protocol, data) for protocol, data, _ in LOOK_ALIKE.values()),
    (TCP, made.digifort_login(RNG)),
    (TCP, made.digifort_analytics_version()),
    (TCP, made.digifort_ping("CMD_LPR_PING")),
    (TCP, made.http_request("GET", "/Interface/Cameras", "vms")),
    (TCP, made.http_reply("200 OK", b"{}", "application/json")),
    (TCP, made.rtsp_request("SETUP", "rtsp://cam/1", 3, "Transport: RTP/AVP;unicast;client_port=3000-3001")),
    (TCP, made.rtsp_reply(3, body=made.sdp("10.0.0.9", 96, "H264"))),
    (TCP, made.tds_prelogin(bytes(6))),
    (TCP, made.tds_prelogin(bytes(6), reply=True)),
    (TCP, made.tls_client_hello(RNG, "vms.example.org")),
    (TCP, made.tls_server_hello(RNG)),
    (TCP, bytes((0, 0, 0, 68)) + b"\xfeSMB" + bytes(64)),
    (TCP, bytes((0, 0, 0, 68)) + b"\xfdSMB" + bytes(64)),
    (UDP, made.ssdp_search("ssdp:all")),
    (UDP, made.ssdp_notify("10.0.0.9", "Cam", "1")),
    (UDP, made.onvif_probe("1")),
    (UDP, made.stun_request(RNG)),
    (UDP, made.quic_initial(RNG)),
    (UDP, made.bfd(1, 2)),
    (UDP, made.rtp(96, 65535, 0xFFFFFFFF, 7, bytes(30), mark=True)),
    (UDP, made.rtcp_sender_report(7, (1, 2), 3, 4, 5, "cam@lan")),
    (UDP, made.rtcp_receiver_report(1, 2, 3, 4, 5, "vms@lan")),
]


@pytest.mark.parametrize("number", range(len(VALID)))
def test_cut_at_every_byte_the_hint_is_the_twins(number: int) -> None:
    protocol, data = VALID[number]
    lengths = range(min(len(data), 80) + 1)
    for cut in [*lengths, len(data)]:
        for size in (cut, len(data), len(data) + 1000):
            check(protocol, data[:cut], max(size, cut))


@st.composite
def mutated(draw: st.DrawFn) -> tuple[int, bytes, int]:
    protocol, data = draw(st.sampled_from(VALID))
    piece = bytearray(data[: draw(st.integers(0, max(len(data), 1)))] if draw(st.booleans()) else data)
    for _ in range(draw(st.integers(0, 4))):
        if piece:
            near = draw(st.integers(0, min(len(piece), 48) - 1))
            piece[near] = draw(st.one_of(st.integers(0, 255), st.sampled_from(b"\r\n /:HR\x80\x47\xff")))
    return protocol, bytes(piece), len(piece) + draw(st.sampled_from((0, 0, 1, 4, 1000)))


@settings(max_examples=600, deadline=None)
@given(mutated())
def test_whatever_changes_in_a_payload_the_hint_is_the_twins(case: tuple[int, bytes, int]) -> None:
    check(*case)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from((TCP, UDP)),
    st.one_of(
        st.binary(max_size=64),
        st.builds(bytes.__add__, st.sampled_from((b"\x80\xc8", b"\x90\x60", b"\xc0", b"\x12\x01", MAGIC)), st.binary()),
        st.builds(bytes.__add__, st.sampled_from((b"GET ", b"PLAY", b"OPTI", b"HTTP")), st.binary(max_size=40)),
        st.from_regex(
            rb"(GET|POST|OPTIONS|PLAY) ?(/|\*|rtsp:|http:|httpsx)? ?[a-z]{0,6} ?(HTTP|RTSP|SIP)/1\.[01][\r\n]?"
        ),
    ),
    st.sampled_from((0, 1, 3, 188, 5000)),
)
@example(UDP, hexed("80c80001 00000000 81ca"), 6)
def test_of_any_bytes_the_hint_is_the_twins(protocol: int, data: bytes, more: int) -> None:
    check(protocol, data, len(data) + more)


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_what_stricter_readers_take_for_quic_or_stun_has_their_hint(case: tuple[int, bytes, int]) -> None:
    _, data, size = case
    header = parse_quic(data, size)
    if header and header.version in ("1", "2") and header.destination + header.source:
        assert sniffed(UDP, data, size)[0][0] == "quic"
    if parse_stun(data, size):
        assert sniffed(UDP, data, size)[0][0] == "stun"
