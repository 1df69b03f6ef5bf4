"""Text out of payloads, the same way for every parser.

In: bytes or a URL from a packet. Out: short strings. They may hold control characters: what prints them escapes them.
"""

from __future__ import annotations

from classifier.evidence.urls import clean_url

MAX_TEXT = 255


def text_of(raw: bytes, most: int = MAX_TEXT) -> str:
    """At most `most` bytes as text; what is not ASCII, in whatever character set, as escapes."""
    return raw[:most].decode("ascii", "backslashreplace")


def place_of(url: str) -> str:
    """`host` or `host:port` of an absolute URL ("[2001:db8::1]:80" for IPv6), "" when there is none."""
    found = clean_url(url)
    host = f"[{found.host}]" if ":" in found.host else found.host
    return f"{host}:{found.port}" if host and found.port else host
