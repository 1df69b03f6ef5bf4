"""Places as people write them: `10.0.0.5`, `10.0.0.5:8600`, `[fd00::1]:80`, `fd00::1`, a name.

In: text. Out: host and port. Next: `host`.
"""

from __future__ import annotations

import ipaddress

EXPECTED = "expected HOST or HOST:PORT, such as 10.0.0.5, 10.0.0.5:8600 or [fd00::5]:8600"


def parse_place(text: str) -> tuple[str, int | None]:
    """`(host, port or None)`, an address as the report writes it; raises ValueError that says what is expected."""
    text = text.strip()
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")) or rest == ":":
            raise ValueError(EXPECTED)
        return _address(host) or _wrong(), _port(rest[1:]) if rest else None
    whole = _address(text)
    if whole:
        return whole, None
    host, colon, port = text.rpartition(":")
    if not colon:
        return text or _wrong(), None
    if ":" in host:
        raise ValueError(f"{EXPECTED} (an IPv6 address with a port in brackets)")
    return _address(host) or host or _wrong(), _port(port)


def endpoint(address: str, port: int) -> str:
    """Address and port as one word, IPv6 in brackets; the address alone for port 0."""
    if not port:
        return address
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536):
        raise ValueError(f"{EXPECTED}; a port is 1 to 65535, not {text!r}")
    return int(text)


def _wrong() -> str:
    raise ValueError(EXPECTED)
