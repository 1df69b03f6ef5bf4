"""Text that came from a packet or a path, made safe to print on a terminal or in a log.

In: any string. Out: one line without anything that a terminal obeys instead of showing: control characters
(C0, DEL, C1), line and paragraph separators, characters that reorder or hide text, lone surrogates.
Next: every renderer that writes text.
"""

from __future__ import annotations

import re

# bidirectional controls and invisible characters are how a name pretends to be another
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a path that is not UTF-8
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(text: object, limit: int = 0) -> str:
    """`text` as one printable line; with `limit`, cut to that many characters and marked with an ellipsis."""
    line = _UNSAFE.sub(_escape, str(text))
    if limit and len(line) > limit:
        return line[: limit - 1] + "…"
    return line


def middle(text: str, limit: int) -> str:
    """`text` cut in its middle to `limit` characters: both ends of a path say something."""
    if len(text) <= limit:
        return text
    head = (limit - 1) // 2
    return text[:head] + "…" + text[len(text) - (limit - 1 - head) :]
