"""URLs without what must never be shown: user names, passwords, session ids, tokens.

In: the target of a request, or a URL in a header or an SDP line. Out: `clean_url`, `clean_text`. Next: `message`,
`sdp`, `rtsp`. RFC 3986 for the parts; but passwords in the wild hold unescaped `/`, `?` and `@`, and some recorders put
`user=..&password=..` into the path, so wherever two readings are possible, the one that shows less is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TEXT = 1024
SAFE_KEYS = ("camera", "profile", "responseformat")
"""Keys of a query whose values are kept: which camera and stream of a Digifort server is meant."""

_MAX_KEYS = 64
_MAX_VALUE = 128
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,15})://")
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})(?:%[^\]]{0,16})?\]|([A-Za-z0-9._-]{1,255}))(?::([0-9]{0,5}))?")
_SECRET = re.compile(
    r"(?:user|usr|login|pass|pwd|psw|auth|token|session|sid|nonce|secret|credential|signature|api_?key)"
    r"[a-z0-9_]{0,16}(?:=|%3d)",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"(?:pass|pwd|psw|secret|credential|api_?key)[a-z0-9_]{0,16}(?:=|%3d)", re.IGNORECASE)
# What RTSP servers append to a URL, also behind its query, to name one medium of it.
_TRACK = re.compile(r"(?:track(?:id)?=?|stream(?:id)?=?)[0-9]{1,4}|video|audio", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Url:
    """What may be kept of a URL.

    `scheme`, `host`: "" and `port`: None where it has none or where they cannot be told from a password; `path`:
    without query; `target`: path, the safe part of the query, and a track name that stood behind the query; `secret`:
    credentials were in it, if only a session's number; `password`: a password, as user info or under such a name.
    """

    scheme: str
    host: str
    port: int | None
    path: str
    target: str
    secret: bool
    password: bool


def clean_url(text: str) -> Url:
    """Take a URL or the target of a request apart, credentials dropped. Never raises, linear in the text."""
    text = text.strip()
    scheme, host, port, secret, user_info = "", "", None, False, False
    named = bool(_PASSWORD.search(text))
    if found := _SCHEME.match(text):
        scheme = found[1].lower()
        rest, user_info, certain = _without_userinfo(text[found.end() :])
        ends = _first_of(rest, "/?#")
        host, port, _ = _host_port(rest[:ends])
        if not certain:
            host, port = "", None
        text = rest[ends:]
    path, _, query = text.partition("#")[0].partition("?")
    if hidden := _SECRET.search(path):
        path, secret = path[: hidden.start()], True
    path = path[:MAX_TEXT]
    kept, hidden_key = _safe_query(query)
    password = named or user_info
    return Url(scheme, host, port, path, (path + kept)[:MAX_TEXT], secret or hidden_key or password, password)


def clean_text(text: str) -> str:
    """A header's value with the user info, queries and secrets of URLs in it dropped."""
    if "//" not in text and "?" not in text and not _SECRET.search(text):
        return text
    pieces = re.split(r"([\s\"<>])", text)
    return "".join(_clean_piece(piece) if len(piece) > 1 else piece for piece in pieces)


def _clean_piece(piece: str) -> str:
    before, slashes, rest = piece.partition("//")
    if slashes:
        piece = before + slashes + rest.rpartition("@")[2]
    piece = piece.partition("?")[0]
    hidden = _SECRET.search(piece)
    return piece[: hidden.start()] if hidden else piece


def _without_userinfo(rest: str) -> tuple[str, bool, bool]:
    """(what follows the user info, there was one, the split is the only possible one)."""
    ends = _first_of(rest, "/?#")
    at = rest.rfind("@", 0, _first_of(rest, "?#"))
    if at >= 0:
        return rest[at + 1 :], True, at < ends
    if not _host_port(rest[:ends])[2] and "@" in rest:  # a password with a question mark in it
        return rest.rpartition("@")[2], True, False
    return rest, False, True


def _host_port(authority: str) -> tuple[str, int | None, bool]:
    found = _HOST.fullmatch(authority)
    if found is None:
        return "", None, False
    port = int(found[3]) if found[3] else None
    return found[1] or found[2], port if port and port <= 65535 else None, True


def _safe_query(query: str) -> tuple[str, bool]:
    """(the part of a query that is kept, with its question mark; a secret was in it)."""
    kept = []
    for part in re.split("[&;?]", query, maxsplit=_MAX_KEYS)[:_MAX_KEYS]:
        key, equals, value = part.partition("=")
        if equals and key.lower() in SAFE_KEYS and not _SECRET.search(value):
            kept.append(f"{key}={value[:_MAX_VALUE]}")
    text = "?" + "&".join(kept) if kept else ""
    tail = query.rstrip("/").rpartition("/")[2]
    if _TRACK.fullmatch(tail) and "/" in query and not text.rstrip("/").endswith(tail):
        text += "/" + tail
    return text, bool(_SECRET.search(query))


def _first_of(text: str, marks: str) -> int:
    """Where the first of these characters stands, or the end."""
    return min((at for mark in marks if (at := text.find(mark)) >= 0), default=len(text))
