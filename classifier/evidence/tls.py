"""TLS and DTLS: that it is one, and the name the client asks for.

In: the first payload bytes of one direction of a TCP flow (segments joined by the caller), or a UDP payload for DTLS.
Out: `record_kind`, `parse_client_hello`, `parse_server_hello`, `parse_dtls_hello`. Sources: RFC 8446 4.1, 5.1; RFC
5246 6.2; RFC 6066 3 (server name); RFC 7301 (ALPN); RFC 8701 (GREASE); RFC 6347 4.1, 4.2 and RFC 9147 5 (DTLS). A name
or protocol counts only when all of it is there.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.evidence.text import text_of

RECORD = 5
MAX_RECORD = (1 << 14) + 2048  # RFC 5246 6.2.3; TLS 1.3 allows less
MAX_HELLO = 1 << 16
MAX_RECORDS = 64  # that a hello may be spread over
MAX_EXTENSIONS = 64
MAX_LISTED = 16  # protocols and versions kept

_KINDS = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application"}
_VERSIONS = {
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
    0xFEFF: "DTLS 1.0",
    0xFEFD: "DTLS 1.2",
    0xFEFC: "DTLS 1.3",
}
_HANDSHAKE = 22
_CLIENT_HELLO, _SERVER_HELLO, _VERIFY_REQUEST = 1, 2, 3
_DTLS_RECORD, _DTLS_HANDSHAKE = 13, 12
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43
_LEAST_CLIENT = 2 + 32 + 1 + 2 + 2 + 1 + 1  # a body with one cipher suite and no extensions
_LEAST_SERVER = 2 + 32 + 1 + 2 + 1


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers. `sni`: "" when not said or not all there; `versions`: highest preference first."""

    sni: str
    alpn: tuple[str, ...]
    versions: tuple[str, ...]
    cut: bool


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What a server chose. `version`: "" when the extension that says it may be missing; `alpn`: "" likewise."""

    version: str
    cipher: int
    alpn: str
    cut: bool


@dataclass(frozen=True, slots=True)
class DtlsHello:
    """A DTLS hello. `by`: "client", "server", or "verify" for a server's HelloVerifyRequest."""

    by: str
    versions: tuple[str, ...]
    sni: str
    cut: bool


def record_kind(payload: bytes) -> str | None:
    """ "handshake", "alert", "application" or "change_cipher_spec" when a payload begins with a TLS record.

    Where a record ends inside the payload, another one has to follow it; so a payload that begins inside one is none.
    """
    kind = None
    at = 0
    for _ in range(MAX_RECORDS):
        if at + RECORD > len(payload):
            break
        length = _record(payload, at)
        if length is None:
            return None
        kind = kind or _KINDS[payload[at]]
        at += RECORD + length
    return kind


def parse_client_hello(payload: bytes) -> ClientHello | None:
    """The ClientHello that a TCP direction begins with, None when it does not."""
    joined = _handshake(payload)
    if joined is None or joined[0] != _CLIENT_HELLO:
        return None
    length = int.from_bytes(joined[1:4], "big")
    # the only message of its flight, so its first record does not go on behind it
    if not _LEAST_CLIENT <= length <= MAX_HELLO or int.from_bytes(payload[3:5], "big") > 4 + length:
        return None
    return _client(joined[4 : 4 + length], length, False)


def parse_server_hello(payload: bytes) -> ServerHello | None:
    """The ServerHello that a TCP direction begins with, None when it does not."""
    joined = _handshake(payload)
    if joined is None or joined[0] != _SERVER_HELLO:
        return None
    length = int.from_bytes(joined[1:4], "big")
    if not _LEAST_SERVER <= length <= MAX_HELLO:
        return None
    return _server(joined[4 : 4 + length], length)


def parse_dtls_hello(payload: bytes) -> DtlsHello | None:
    """The DTLS hello that a datagram begins with, None when it does not. Fragments after the first are none."""
    if len(payload) < _DTLS_RECORD + _DTLS_HANDSHAKE or payload[0] != _HANDSHAKE:
        return None
    record = int.from_bytes(payload[11:13], "big")
    # epoch 0: not encrypted yet
    if payload[1] != 0xFE or payload[2] not in (0xFF, 0xFD) or any(payload[3:5]) or not 12 < record <= MAX_RECORD:
        return None
    head = payload[_DTLS_RECORD:]
    kind, length = head[0], int.from_bytes(head[1:4], "big")
    offset, part = int.from_bytes(head[6:9], "big"), int.from_bytes(head[9:12], "big")
    if offset or part > length or part + _DTLS_HANDSHAKE > record or length > MAX_HELLO:
        return None
    body = head[_DTLS_HANDSHAKE : _DTLS_HANDSHAKE + part]
    if kind == _CLIENT_HELLO and length > _LEAST_CLIENT:
        client = _client(body, length, True)
        return DtlsHello("client", client.versions, client.sni, client.cut) if client else None
    if kind == _SERVER_HELLO and length >= _LEAST_SERVER:
        server = _server(body, length)
        return DtlsHello("server", (server.version,) if server.version else (), "", server.cut) if server else None
    if kind == _VERIFY_REQUEST and 3 <= length <= 3 + 255:
        return DtlsHello("verify", (), "", len(body) < length)
    return None


def _record(payload: bytes, at: int) -> int | None:
    """Length of the record whose header is at `at`, None when it cannot be one."""
    kind, length = payload[at], int.from_bytes(payload[at + 3 : at + 5], "big")
    if kind not in _KINDS or payload[at + 1] != 3 or payload[at + 2] > 4 or length > MAX_RECORD:
        return None
    if (kind == 20 and length != 1) or (kind == 21 and length < 2) or (kind == 22 and not length):
        return None
    return length


def _handshake(payload: bytes) -> bytes | None:
    """The handshake bytes at the beginning, records joined; None when there are not even header and version."""
    parts = []
    total = at = 0
    for _ in range(MAX_RECORDS):
        if at + RECORD > len(payload) or payload[at] != _HANDSHAKE or total >= MAX_HELLO:
            break
        length = _record(payload, at)
        if length is None:
            break
        parts.append(payload[at + RECORD : at + RECORD + length])
        total += length
        at += RECORD + length
    joined = b"".join(parts)
    return joined if len(joined) >= 6 else None


class _Walk:
    """Reads a body front to back. `is_cut()`: something that was asked for is not all there."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0
        self._cut = False

    def is_cut(self) -> bool:
        return self._cut

    def take(self, count: int) -> bytes:
        part = self.body[self.at : self.at + count]
        if len(part) < count:
            self._cut = True
        self.at += count
        return part

    def number(self, count: int) -> int:
        part = self.take(count)
        return 0 if len(part) < count else int.from_bytes(part, "big")


def _client(body: bytes, length: int, dtls: bool) -> ClientHello | None:
    walk = _Walk(body)
    legacy = walk.number(2)
    if legacy not in _VERSIONS or (legacy >= 0xFE00) != dtls:
        return None
    walk.take(32)
    if walk.number(1) > 32:
        return None
    walk.take(body[34] if len(body) > 34 else 0)
    if dtls:
        walk.take(walk.number(1))  # cookie
    suites = walk.number(2)
    if not walk.is_cut() and (suites < 2 or suites % 2):
        return None
    walk.take(suites)
    methods = walk.number(1)
    if not walk.is_cut() and not methods:
        return None
    walk.take(methods)
    if walk.at > length:
        return None
    found = _extensions(walk, length)
    if found is None:
        return None
    versions = _versions(found.get(_SUPPORTED_VERSIONS, b""))
    if not versions:
        versions = (_VERSIONS[legacy],)
    return ClientHello(
        _name(found.get(_SERVER_NAME, b"")),
        _protocols(found.get(_ALPN, b"")),
        versions,
        walk.is_cut() or len(body) < length,
    )


def _server(body: bytes, length: int) -> ServerHello | None:
    walk = _Walk(body)
    legacy = walk.number(2)
    if legacy not in _VERSIONS:
        return None
    walk.take(32)
    if walk.number(1) > 32:
        return None
    walk.take(body[34] if len(body) > 34 else 0)
    cipher = walk.number(2)
    walk.take(1)
    if walk.at > length:
        return None
    found = _extensions(walk, length)
    if found is None:
        return None
    cut = walk.is_cut() or len(body) < length
    chosen = found.get(_SUPPORTED_VERSIONS, b"")
    if len(chosen) == 2:
        version = _VERSIONS.get(int.from_bytes(chosen, "big"), "")
    else:
        # 1.3 says so in an extension only and 1.2 in the old field
        version = "" if cut and legacy in (0x0303, 0xFEFD) else _VERSIONS[legacy]
    protocols = _protocols(found.get(_ALPN, b""))
    return ServerHello(version, cipher, protocols[0] if protocols else "", cut)


def _extensions(walk: _Walk, length: int) -> dict[int, bytes] | None:
    """Type -> data of the extensions that are all there, None when their lengths contradict the message's."""
    found: dict[int, bytes] = {}
    if walk.is_cut() or walk.at == length:  # none before TLS 1.2, and none needed
        return found
    end = walk.number(2) + walk.at
    if walk.is_cut() and walk.at <= length:
        return found
    if end != length:
        return None
    for _ in range(MAX_EXTENSIONS):
        if walk.at >= end:
            break
        kind = walk.number(2)
        size = walk.number(2)
        if walk.at + size > end:
            return None
        if walk.is_cut():
            break
        data = walk.take(size)
        if walk.is_cut():
            break
        found.setdefault(kind, data)
    return found


def _name(data: bytes) -> str:
    """The host name of a server_name extension; RFC 6066 has one entry of type 0."""
    if len(data) < 5 or data[2]:
        return ""
    size = int.from_bytes(data[3:5], "big")
    name = data[5 : 5 + size]
    return text_of(name) if len(name) == size else ""


def _protocols(data: bytes) -> tuple[str, ...]:
    names: list[str] = []
    at = 2
    while at < len(data) and len(names) < MAX_LISTED:
        name = data[at + 1 : at + 1 + data[at]]
        if not name or len(name) < data[at]:
            break
        if not _is_grease(name):
            names.append(text_of(name))
        at += 1 + len(name)
    return tuple(names)


def _versions(data: bytes) -> tuple[str, ...]:
    offered = [int.from_bytes(data[at : at + 2], "big") for at in range(1, len(data) - 1, 2)]
    return tuple(_VERSIONS[version] for version in offered if version in _VERSIONS)[:MAX_LISTED]


def _is_grease(value: bytes) -> bool:
    """RFC 8701: values that only keep servers tolerant."""
    return len(value) == 2 and value[0] == value[1] and value[0] & 0x0F == 0x0A
