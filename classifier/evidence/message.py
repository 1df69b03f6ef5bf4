"""Heads of HTTP/1.x, RTSP/1.0 and SSDP messages: one form, one parser.

In: bytes that begin with a start line. Out: `parse_head`, `starts_message`. Next: `http` (what a head proves),
`assemble` (heads in a TCP stream), `rtsp`. Sources: RFC 9112 (HTTP/1.1), RFC 2326 (RTSP), UPnP Device Architecture 1
(HTTP over UDP).

A head that is cut gives the lines that are whole, so that a longer piece of the same message says the same and more.
Credentials do not leave this module: only that there are some.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from classifier.evidence.urls import Url, clean_text, clean_url

MAX_HEAD = 8192
MAX_HEADERS = 64
MAX_VALUE = 1024

_VERSION = re.compile(rb"(HTTP|RTSP)/(1\.[0-9])")
_METHOD = re.compile(rb"[A-Z][A-Z_-]{1,23}")
_STATUS = re.compile(rb"([1-5][0-9][0-9])(?: |$)")
_NAME = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_END = re.compile(rb"\n\r?\n")
_REALM = re.compile(r"\brealm\s*=\s*(?:\"((?:[^\"\\]|\\.){0,256})\"|([^\s,\"]{1,256}))", re.IGNORECASE)
_SECRET_NAME = re.compile("auth|cookie|token|secret|passw|session|nonce|signature|credential|api-?key")
_CHALLENGES = ("www-authenticate", "proxy-authenticate")

_HTTP_METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"M-SEARCH", b"NOTIFY")
_RTSP_METHODS = (b"DESCRIBE", b"SETUP", b"PLAY", b"PAUSE", b"TEARDOWN", b"ANNOUNCE", b"RECORD")


@dataclass(frozen=True, slots=True)
class Message:
    """The head of a request or a reply.

    `version`: "1.1", "" where the start line is cut; `method`, `target`, `path`, `host`, `port` of a request (`target`:
    path and the safe part of the query; host and port of an absolute target); `status`: 0 in a request; `headers`:
    (lower-case name, value) in order, values that hold credentials empty; `head_bytes`: with the empty line, or what
    there is; `body_bytes`: Content-Length, None where none is told or two differ; `cut`: the head's end is not there;
    `credentials`: "", "basic", "digest", "url" (a password) or "other" (another scheme, a session's number); `dropped`:
    headers beyond `MAX_HEADERS`.
    """

    kind: Literal["request", "reply"]
    protocol: Literal["HTTP", "RTSP"]
    version: str
    method: str
    target: str
    path: str
    host: str
    port: int | None
    status: int
    headers: tuple[tuple[str, str], ...]
    head_bytes: int
    body_bytes: int | None
    cut: bool
    credentials: str
    dropped: int

    def header(self, name: str) -> str:
        """The first value of a header, "" where it is missing; `name` in lower case."""
        return next((value for key, value in self.headers if key == name), "")

    @property
    def realm(self) -> str:
        """Realm of the first WWW-Authenticate that names one (RFC 7235), "" where none does."""
        for name, value in self.headers:
            if name == "www-authenticate" and 'realm="' in value:
                return value.partition('realm="')[2][:-1]
        return ""


@dataclass(frozen=True, slots=True)
class _Start:
    kind: Literal["request", "reply"]
    protocol: Literal["HTTP", "RTSP"]
    version: str
    method: str
    url: Url
    status: int


_NO_URL = clean_url("")


def starts_message(data: bytes, at: int = 0) -> bool:
    """Whether a start line stands at `at`, whole or cut where it leaves no doubt."""
    end = data.find(b"\n", at, at + MAX_HEAD)
    start = _start(data[at:end]) if end >= 0 else _cut_start(data[at : at + MAX_HEAD])
    return start is not None


def parse_head(data: bytes) -> Message | None:
    """The head that begins with `data`, None where none does. Looks at the first `MAX_HEAD` bytes."""
    window = data[:MAX_HEAD]
    line_end = window.find(b"\n")
    start = _start(window[:line_end]) if line_end >= 0 else _cut_start(window)
    if start is None:
        return None
    end = _END.search(window, line_end) if line_end >= 0 else None
    known = end.start() + 1 if end else window.rfind(b"\n") + 1
    fields = _fields(window[line_end + 1 : known])
    headers: list[tuple[str, str]] = []
    lengths, by_header = set(), ""
    for name, raw in fields:
        value = raw.decode("utf-8", "backslashreplace")
        if name == "content-length":
            lengths.add(value)
        if name in ("authorization", "proxy-authorization") and not by_header:
            scheme = value.partition(" ")[0].lower()
            by_header = scheme if scheme in ("basic", "digest") else "other"
        if len(headers) < MAX_HEADERS:
            headers.append((name, _kept(name, value)))
    return Message(
        kind=start.kind,
        protocol=start.protocol,
        version=start.version,
        method=start.method,
        target=start.url.target,
        path=start.url.path,
        host=start.url.host,
        port=start.url.port,
        status=start.status,
        headers=tuple(headers),
        head_bytes=end.end() if end else len(window),
        body_bytes=_length(lengths),
        cut=end is None,
        credentials=by_header or ("url" if start.url.password else "other" if start.url.secret else ""),
        dropped=len(fields) - len(headers),
    )


def _start(line: bytes) -> _Start | None:
    """A whole start line. A target may hold spaces: camera names do, and not every client escapes them."""
    line = line.rstrip(b"\r \t")
    first, _, rest = line.partition(b" ")
    if found := _VERSION.fullmatch(first):
        status = _STATUS.match(rest)
        return _Start("reply", _protocol(found[1]), found[2].decode(), "", _NO_URL, int(status[1])) if status else None
    if not _METHOD.fullmatch(first):
        return None
    target, _, last = rest.rpartition(b" ")
    found = _VERSION.fullmatch(last)
    if found is None or not target.strip():
        return None
    return _Start("request", _protocol(found[1]), found[2].decode(), first.decode(), _target(first, target), 0)


def _cut_start(window: bytes) -> _Start | None:
    """A request line that is cut behind its path: a method and a target that leave no doubt of the protocol."""
    method, _, rest = window.partition(b" ")
    if rest.startswith(b"/"):
        target = re.match(rb"[^ ?]*(?=[ ?])", rest)
    else:
        target = re.match(rb"(?:http|rtsp)://[^ ]*(?= )", rest)
    if target is None:
        return None
    if method in _RTSP_METHODS or target[0].startswith(b"rtsp"):
        protocol = b"RTSP"
    elif method in _HTTP_METHODS:
        protocol = b"HTTP"
    else:
        return None
    if not _METHOD.fullmatch(method):
        return None
    return _Start("request", _protocol(protocol), "", method.decode(), _target(method, target[0]), 0)


def _target(method: bytes, raw: bytes) -> Url:
    text = raw.decode("utf-8", "backslashreplace")
    return clean_url(f"tunnel://{text}" if method == b"CONNECT" else text)  # RFC 9112 3.2.3: host and port alone


def _protocol(raw: bytes) -> Literal["HTTP", "RTSP"]:
    return "HTTP" if raw == b"HTTP" else "RTSP"


def _fields(block: bytes) -> list[tuple[str, bytes]]:
    """Header lines, folded ones joined (RFC 9112 5.2); lines that are none are passed over."""
    fields: list[tuple[str, bytes]] = []
    for line in block.split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if fields:
                name, value = fields[-1]
                if len(value) < 2 * MAX_VALUE:
                    fields[-1] = (name, value + b" " + line.strip())
            continue
        name_raw, colon, value = line.partition(b":")
        if colon and _NAME.fullmatch(name_raw.rstrip()):
            fields.append((name_raw.rstrip().lower().decode("ascii"), value.strip()))
    return fields


def _kept(name: str, value: str) -> str:
    """What of a value may be kept."""
    if name in _CHALLENGES:
        realm = _REALM.search(value)
        scheme = value.partition(" ")[0][:16]
        if realm is None:
            return scheme
        text = re.sub(r"\\(.)", r"\1", realm[1]) if realm[1] is not None else realm[2]
        return f'{scheme} realm="{text}"'
    if _SECRET_NAME.search(name):
        return ""
    return clean_text(value)[:MAX_VALUE]


def _length(values: set[str]) -> int | None:
    if len(values) != 1:
        return None
    text = values.pop()
    return int(text) if 1 <= len(text) <= 15 and text.isascii() and text.isdigit() else None
