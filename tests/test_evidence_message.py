"""Heads of HTTP, RTSP and SSDP messages, URLs without credentials, and what HTTP heads prove."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.evidence.http import http_facts
from classifier.evidence.message import MAX_HEAD, MAX_HEADERS, MAX_VALUE, Message, parse_head
from classifier.evidence.urls import clean_text, clean_url

WEB_401 = (
    b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n"
    b'WWW-Authenticate: Basic realm="Servidor HTTP Digifort"\r\nContent-Length: 5\r\n\r\nhello'
)
API = (
    b"GET /Interface/Cameras/GetStatus?Camera=Front%20Door&ResponseFormat=JSON&AuthUser=admin&AuthPass=s3cret"
    b" HTTP/1.1\r\n"
    b"Host: 10.0.0.5:8601\r\nAuthorization: Basic YWRtaW46czNjcmV0\r\nCookie: sid=s3cret\r\n\r\n"
)
DESCRIBE = (
    b"DESCRIBE rtsp://admin:s3cret@10.0.0.9:8554/Interface/Cameras/Media?Camera=CAM001 RTSP/1.0\r\n"
    b"CSeq: 2\r\nAccept: application/sdp\r\nUser-Agent: x\r\n\r\n"
)
SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 3\r\nST: upnp:rootdevice\r\n\r\n'
)
FOUND = (
    b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: http://10.0.0.20:80/desc.xml\r\n"
    b"SERVER: Linux UPnP/1.0 Cam/1\r\n\r\n"
)
VECTORS = (WEB_401, API, DESCRIBE, SEARCH, FOUND)


def head(data: bytes) -> Message:
    message = parse_head(data)
    assert message is not None
    return message


def test_a_reply() -> None:
    message = head(WEB_401)
    assert (message.kind, message.protocol, message.version, message.status) == ("reply", "HTTP", "1.1", 401)
    assert message.realm == "Servidor HTTP Digifort"
    assert message.body_bytes == 5 and WEB_401[message.head_bytes :] == b"hello"
    assert not message.cut
    assert (message.header("connection"), message.header("server")) == ("close", "")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Camera=Yard&AuthSession=77&AuthData=0123456789abcdef", "other"),
        ("Camera=Yard&session=77", "other"),
        ("Camera=Yard&AuthUser=doors&AuthPass=REDACT-ME", "url"),
        ("pwd=REDACT-ME", "url"),
        ("Camera=Yard&FPS=5", ""),
    ],
)
def test_a_session_in_a_url_is_no_password(query: str, said: str) -> None:
    line = f"GET /Interface/Cameras/GetSnapshot?{query} HTTP/1.1\r\n\r\n"
    assert head(line.encode()).credentials == said


def test_a_request_keeps_the_safe_part_of_its_query_and_no_credentials() -> None:
    message = head(API)
    assert (message.kind, message.method, message.path) == ("request", "GET", "/Interface/Cameras/GetStatus")
    assert message.target == "/Interface/Cameras/GetStatus?Camera=Front%20Door&ResponseFormat=JSON"
    assert message.credentials == "basic"
    assert (message.header("host"), message.header("authorization"), message.header("cookie")) == (
        "10.0.0.5:8601",
        "",
        "",
    )
    assert head(API.replace(b"Authorization", b"X-Nothing")).credentials == "url"


def test_an_absolute_target_keeps_host_and_port() -> None:
    message = head(DESCRIBE)
    assert (message.protocol, message.host, message.port) == ("RTSP", "10.0.0.9", 8554)
    assert (message.path, message.credentials) == ("/Interface/Cameras/Media", "url")
    assert message.target == "/Interface/Cameras/Media?Camera=CAM001"


def test_ssdp() -> None:
    assert (head(SEARCH).method, head(SEARCH).path, head(SEARCH).header("st")) == ("M-SEARCH", "*", "upnp:rootdevice")
    assert head(FOUND).header("location") == "http://10.0.0.20:80/desc.xml"


def test_digest_hides_nonce_and_answer() -> None:
    reply = head(b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="a \\"b\\"", nonce="n0nce"\r\n\r\n')
    assert reply.realm == 'a "b"'
    assert "n0nce" not in repr(reply)
    asked = head(b'OPTIONS * RTSP/1.0\r\nAuthorization: Digest username="u", response="0ff"\r\n\r\n')
    assert asked.credentials == "digest"
    assert "0ff" not in repr(asked)
    assert head(b"GET / HTTP/1.1\r\nAuthorization: Bearer abc\r\n\r\n").credentials == "other"


def test_folded_lines_and_line_ends_without_carriage_return() -> None:
    message = head(b"GET / HTTP/1.0\nServer: a\n  b\nnonsense\nX y: 1\n\nbody")
    assert message.headers == (("server", "a b"),)
    assert message.head_bytes == len(b"GET / HTTP/1.0\nServer: a\n  b\nnonsense\nX y: 1\n\n")


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (b"", None),
        (b"Content-Length: 0\r\n", 0),
        (b"Content-Length: 7\r\nContent-Length: 7\r\n", 7),
        (b"Content-Length: 7\r\nContent-Length: 8\r\n", None),
        (b"Content-Length: -1\r\n", None),
        (b"Content-Length: 99999999999999999999\r\n", None),
        ("Content-Length: ٣\r\n".encode(), None),
    ],
)
def test_the_length_of_the_body(lines: bytes, length: int | None) -> None:
    assert head(b"HTTP/1.1 200 OK\r\n" + lines + b"\r\n").body_bytes == length


@pytest.mark.parametrize("vector", VECTORS)
def test_a_head_cut_anywhere_says_less_but_nothing_else(vector: bytes) -> None:
    whole = head(vector)
    first_line = vector.index(b"\r\n") + 2
    for size in range(len(vector)):
        message = parse_head(vector[:size])
        if message is None:
            assert size < first_line, size
            continue
        assert message.cut == (size < whole.head_bytes)
        assert (message.kind, message.protocol, message.method) == (whole.kind, whole.protocol, whole.method)
        assert message.path == whole.path
        assert message.version in ("", whole.version) and whole.target.startswith(message.target)
        assert message.headers == whole.headers[: len(message.headers)]
        assert message.body_bytes in (None, whole.body_bytes)
        assert message.credentials in ("", "url", whole.credentials)
        assert "s3cret" not in repr(message)


def test_a_request_cut_behind_its_path_still_tells_the_path() -> None:
    message = head(b"GET /Interface/Cameras/GetJPEGStream?Cam")  # what a snaplen of 96 leaves
    assert (message.path, message.cut, message.version) == ("/Interface/Cameras/GetJPEGStream", True, "")
    assert http_facts(message) == ("digifort_api",)
    assert parse_head(b"GET /Interface/Cam") is None  # where the path ends is not there


@pytest.mark.parametrize(
    ("data", "protocol", "path"),
    [
        (b"SETUP rtsp://10.0.0.9/a?x ", "RTSP", "/a"),
        (b"OPTIONS rtsp://10.0.0.9/a ", "RTSP", "/a"),
        (b"DESCRIBE /a?", "RTSP", "/a"),
        (b"GET http://10.0.0.9/a ", "HTTP", "/a"),
        (b"OPTIONS /a ", None, ""),  # of either protocol
        (b"OPTIONS * ", None, ""),
        (b"GET http://10.0.0.9/a?", None, ""),  # a password may hold a question mark
        (b"get /a ", None, ""),
    ],
)
def test_a_cut_start_line_counts_where_it_leaves_no_doubt(data: bytes, protocol: str | None, path: str) -> None:
    message = parse_head(data)
    assert (message and message.protocol, message.path if message else "") == (protocol, path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"HTTP/1.1",
        b"HTTP/1.1 20\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET HTTP/1.1\r\n\r\n",
        b"xGET / HTTP/1.1 \x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"$\x00\x00\x10RTSP/1.0 200 OK\r\n\r\n",
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    assert parse_head(data) is None


def test_bounds() -> None:
    many = head(b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 100 + b"Content-Length: 9\r\n\r\n")
    assert (len(many.headers), many.dropped, many.body_bytes) == (MAX_HEADERS, 101 - MAX_HEADERS, 9)
    assert len(head(b"GET / HTTP/1.1\r\nA: " + b"x" * 5000 + b"\r\n\r\n").header("a")) == MAX_VALUE
    endless = head(b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 10_000)
    assert endless.cut and endless.head_bytes == MAX_HEAD


@pytest.mark.parametrize(
    "noise",
    [b" ", b"//", b"a" * 5 + b" ", b"\r\n ", b"realm=", b"realm \t", b"?camera=", b"pass=@//", b":", b"[", b'\\"'],
)
def test_no_head_takes_long(noise: bytes) -> None:
    fill = (noise * MAX_HEAD)[:MAX_HEAD]
    began = time.monotonic()
    for before in (b"", b"GET ", b"GET rtsp://", b"GET / HTTP/1.1\r\nA: ", b"HTTP/1.1 401 x\r\nWWW-Authenticate: "):
        for _ in range(5):
            parse_head(before + fill)
            parse_head((before + fill)[: MAX_HEAD - 13] + b" HTTP/1.1\r\n\r\n")
    assert time.monotonic() - began < 5  # 50 heads; a quadratic step takes minutes


def test_bytes_that_are_no_text() -> None:
    message = head(b"GET /\xff\xc3\xa9 HTTP/1.1\r\nServer: \xe9\xff\x1b[2J\r\n\r\n")
    assert message.path == "/\\xffé"
    assert message.header("server") == "\\xe9\\xff\x1b[2J"


@pytest.mark.parametrize(
    ("text", "host", "port", "target", "secret"),
    [
        ("rtsp://10.0.0.9/a", "10.0.0.9", None, "/a", False),
        ("rtsp://u:p@10.0.0.9:554/a?x=1", "10.0.0.9", 554, "/a", True),
        ("rtsp://u:p@[fe80::1%25eth0]:554/a", "fe80::1", 554, "/a", True),
        ("rtsp://u:s3/cret@10.0.0.9/a", "", None, "/a", True),  # a password that looks like a path
        ("rtsp://u:s3?cret@10.0.0.9/a", "", None, "/a", True),
        ("rtsp://u:s@3cret@10.0.0.9/a", "10.0.0.9", None, "/a", True),
        ("rtsp://u:s3#cret@10.0.0.9/a", "", None, "/a", True),
        ("rtsp://10.0.0.9:99999/a", "10.0.0.9", None, "/a", False),
        ("/user=admin&password=s3cret&channel=1.sdp", "", None, "/", True),
        ("/a;jsessionid=s3cret", "", None, "/a;j", True),
        ("/a?Camera=1;AuthPass=s3cret", "", None, "/a?Camera=1", True),
        ("/a?Camera=1%26AuthPass%3Ds3cret", "", None, "/a", True),
        ("/a?channel=1&subtype=0/trackID=2", "", None, "/a/trackID=2", False),
        ("/a?Camera=C1/trackID=2", "", None, "/a?Camera=C1/trackID=2", False),
        ("/a?x=y/s3cret", "", None, "/a", False),
        ("*", "", None, "*", False),
        ("", "", None, "", False),
    ],
)
def test_what_is_kept_of_a_url(text: str, host: str, port: int | None, target: str, secret: bool) -> None:
    url = clean_url(text)
    assert (url.host, url.port, url.target, url.secret) == (host, port, target, secret)
    assert "cret" not in repr(url).replace("secret=", "")


def test_connect_names_a_host_and_a_port() -> None:
    message = head(b"CONNECT example.org:443 HTTP/1.1\r\n\r\n")
    assert (message.host, message.port, message.path) == ("example.org", 443, "")


def test_urls_in_headers_lose_their_credentials() -> None:
    assert clean_text("http://u:s3cret@h/a?AuthPass=s3cret x") == "http://h/a x"
    assert clean_text("url=rtsp://u:s3/cr?et@h/a/trackID=1") == "url=rtsp://h/a/trackID=1"
    assert clean_text("Linux/5 (Cam; 1)") == "Linux/5 (Cam; 1)"
    referer = head(b"GET / HTTP/1.1\r\nReferer: http://h/Interface/x?AuthPass=s3cret\r\nX-Auth-Token: s3cret\r\n\r\n")
    assert "s3cret" not in repr(referer)


SECRET = st.text("abcXYZ019/?@:#;&=%. ", min_size=0, max_size=8).map(lambda text: f"Zq{text}Qz")


@given(SECRET, st.sampled_from(["rtsp://u:{}@10.0.0.9:554/a HTTP", "/a?AuthPass={}", "/a?Camera=1&pwd={}&Profile=2"]))
def test_the_begin_and_the_end_of_a_password_are_nowhere(secret: str, form: str) -> None:
    if form.startswith("/") and ("&" in secret or ";" in secret or "?" in secret or "/" in secret):
        return  # whoever writes such a query unescaped ends the value there himself
    shown = repr(head(f"GET {form.format(secret)} RTSP/1.0\r\n\r\n".encode()))
    assert "Zq" not in shown and "Qz" not in shown


@given(st.binary(max_size=300))
def test_any_bytes(noise: bytes) -> None:
    for before in (b"", b"GET ", b"GET / HTTP/1.1\r\n", b"RTSP/1.0 200 OK\r\n", b"GET rtsp://"):
        for after in (b"", b" HTTP/1.1\r\n\r\n"):
            message = parse_head(before + noise + after)
            if message:
                assert 0 < message.head_bytes <= MAX_HEAD
                assert http_facts(message) == tuple(sorted(set(http_facts(message))))


@given(st.sampled_from(VECTORS), st.integers(0, 300), st.binary(max_size=4))
def test_mutated_vectors(vector: bytes, at: int, noise: bytes) -> None:
    parse_head(vector[:at] + noise + vector[at + len(noise) :])
    parse_head(vector[:at] + noise + vector[at:])


def facts(data: bytes) -> tuple[str, ...]:
    return http_facts(head(data))


@pytest.mark.parametrize(
    ("data", "codes"),
    [
        (WEB_401, ("digifort_realm",)),
        (WEB_401.replace(b"Servidor HTTP Digifort", b"SERVIDOR http digifort 7"), ("digifort_realm",)),
        (WEB_401.replace(b"Basic", b"Digest"), ()),
        (WEB_401.replace(b"Servidor", b"The Servidor"), ()),
        (WEB_401.replace(b"HTTP/1.1", b"RTSP/1.0"), ()),
        (API, ("digifort_api",)),
        (API.replace(b"/Interface/", b"/interface/"), ("digifort_api",)),
        (API.replace(b"/Interface/", b"/x/Interface/"), ()),
        (DESCRIBE, ()),
        (b"POST /onvif/device_service HTTP/1.1\r\n\r\n", ("onvif",)),
        (b"GET /live HTTP/1.0\r\nAccept: Application/X-RTSP-Tunnelled\r\n\r\n", ("rtsp_tunnel",)),
        (b"HTTP/1.0 200 OK\r\nContent-Type: application/x-rtsp-tunnelled\r\n\r\n", ("rtsp_tunnel",)),
        (b"HTTP/1.0 200 OK\r\nContent-Type: Multipart/x-mixed-replace;boundary=x\r\n\r\n", ("mjpeg",)),
        (b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\n\r\n", ("other_banner",)),
        (b"HTTP/1.1 200 OK\r\nServer: App-webs/\r\nVia: 1.1 proxy\r\n\r\n", ()),
        (b"HTTP/1.1 502 Bad Gateway\r\nServer: Boa/0.94\r\n\r\n", ()),
        (WEB_401.replace(b"Connection: close", b"Server: Boa/0.94"), ("digifort_realm",)),
        (b"HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n", ()),
        (b"HTTP/1.1 200 OK\r\nServer: Microsoft-IIS/10.0\r\n\r\n", ()),
        (FOUND, ()),
        (SEARCH, ()),
    ],
)  # fmt: skip
def test_what_http_proves(data: bytes, codes: tuple[str, ...]) -> None:
    assert facts(data) == codes
