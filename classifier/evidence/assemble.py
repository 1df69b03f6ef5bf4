"""Just enough TCP reassembly for the heads of one direction of a connection.

In: segments in any order, as captured. Out: `Assembler.messages()`. Next: the collector, `rtsp.Conversation`.

Segments are kept up to a bound and joined when asked for. Bodies are skipped by Content-Length and interleaved media
frames by their length (RFC 2326 10.12), also across gaps, since a length tells where the next message begins. Where
the way is lost, it is found again at the next segment that begins with a start line.
"""

from __future__ import annotations

from collections.abc import Iterator

from classifier.evidence.message import MAX_HEAD, Message, parse_head, starts_message

MAX_BYTES = 65_536
MAX_SEGMENTS = 256
MAX_MESSAGES = 512

_WRAP = 1 << 32
_HALF = 1 << 31


class Assembler:
    """One direction. `dropped`: segments and messages beyond the bounds; `cut`: a segment was captured in part."""

    def __init__(self) -> None:
        self.dropped = 0
        self.cut = False
        self._segments: dict[int, bytes] = {}  # by position: the sequence number without its wrap
        self._bytes = 0
        self._last = 0

    def add(self, seq: int, payload: bytes, cut: bool) -> None:
        """Take the captured payload of a segment. `seq`: of its first byte; `cut`: there was more on the wire."""
        self.cut |= cut
        if not payload:
            return
        if self._segments:
            position = self._last + ((seq - self._last + _HALF) % _WRAP) - _HALF
        else:
            position = seq % _WRAP
        self._last = position
        known = self._segments.get(position, b"")
        if len(known) >= len(payload):
            return
        grown = self._bytes + len(payload) - len(known)
        if grown > MAX_BYTES or (not known and len(self._segments) >= MAX_SEGMENTS):
            self.dropped += 1
            return
        self._bytes = grown
        self._segments[position] = payload

    def messages(self) -> Iterator[tuple[Message, bytes, int]]:
        """(head, as much of its body as there is, sequence number of its first byte), in order; again on every call.

        Of two different contents for the same bytes the one that begins earlier counts.
        """
        resume: int | None = None  # where a message begins for sure
        count = 0
        for start, data, marks in self._runs():
            walk = _Walk(start, data, marks, resume)
            for message, body, at in walk:
                if count == MAX_MESSAGES:
                    self.dropped += 1
                    return
                count += 1
                yield message, body, (start + at) % _WRAP
            resume = walk.resume

    def _runs(self) -> Iterator[tuple[int, bytes, list[int]]]:
        """Stretches without a gap: (position, bytes, where segments begin in them)."""
        start, data, marks = 0, bytearray(), list[int]()
        for position in sorted(self._segments):
            payload = self._segments[position]
            if data and position > start + len(data):
                yield start, bytes(data), marks
                data, marks = bytearray(), []
            if not data:
                start = position
            at = position - start
            marks.append(at)
            data += payload[len(data) - at :] if at + len(payload) > len(data) else b""
        if data:
            yield start, bytes(data), marks


class _Walk:
    """Through one stretch, message by message. `resume`: where the next message begins, if a length told."""

    def __init__(self, start: int, data: bytes, marks: list[int], resume: int | None) -> None:
        self.start, self.data, self.marks = start, data, marks
        self.resume = resume
        self._mark = 0  # marks before this one lie behind

    def __iter__(self) -> Iterator[tuple[Message, bytes, int]]:
        data = self.data
        at: int | None = self._begin()
        while at is not None and at < len(data):
            if data[at] in b"\r\n":  # RFC 9112 2.2: empty lines before a start line
                at += 1
            elif data[at] == 0x24:  # "$", channel, length u16, data
                length = int.from_bytes(data[at + 2 : at + 4], "big")
                at = at + 4 + length if at + 4 <= len(data) else None
            else:
                message = parse_head(data[at : at + MAX_HEAD])
                if message is None:
                    at = self._next_start(at + 1)
                    continue
                body_at = at + message.head_bytes
                size = _body_bytes(message)
                following = self._next_start(body_at) if size is None else body_at + size
                if size and message.protocol == "RTSP":  # lengths are wrong at times; descriptions hold no start line
                    early = self._next_start(body_at, body_at + size)
                    following = body_at + size if early is None else early
                end = len(data) if following is None else following
                yield message, data[body_at:end], at
                at = following
        self.resume = None if at is None else self.start + at

    def _begin(self) -> int | None:
        if self.resume is not None and self.resume >= self.start:
            return self.resume - self.start  # behind this stretch: all of it is the body or frame begun before
        return self._next_start(0)

    def _next_start(self, least: int, before: int | None = None) -> int | None:
        """The next beginning of a segment, at `least` or behind it, where a start line stands."""
        while self._mark < len(self.marks):
            at = self.marks[self._mark]
            if before is not None and at >= before:
                return None
            if at >= least and starts_message(self.data, at):
                return at
            self._mark += 1
        return None


def _body_bytes(message: Message) -> int | None:
    """Length of the body, None where the head does not tell (RFC 9112 6.3, RFC 2326 4.4)."""
    if message.cut or message.header("transfer-encoding"):
        return None
    if message.kind == "reply" and (message.status < 200 or message.status in (204, 304)):
        return 0
    if message.body_bytes is not None:
        return message.body_bytes
    return None if message.kind == "reply" and message.protocol == "HTTP" else 0
