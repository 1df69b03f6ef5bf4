"""Decompression in bounded pieces: gzip, zstd and lz4, any number of members one after another.

In: the bytes of a file, by a function that reads some. Out: `Inflater.readinto`, which fills at most the memory it
is given, so a decompression bomb costs time in proportion to what is read and never memory. Next: `source.py`.

The format is told by magic numbers (RFC 1952, RFC 8878, LZ4 frame format 1.6), at the start of every member.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from classifier.capture.model import TRAILING

GZIP, ZSTD, LZ4 = "gzip", "zstd", "lz4"

PIECE = 65_536
"""Compressed bytes read at a time."""

SALVAGE = 1 << 20
"""Damaged data up to this length gives every byte before the damage; later, gzip may lose the last PIECE, zstd the last
_ZSTD_BLOCKS."""
MAX_SALVAGED = 4 << 20

MAX_WINDOW = 1 << 27  # zstd's own default bound for decoders
_MAX_ZSTD_BLOCK = 131_072
_ZSTD_BLOCKS = 8
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"


class DecompressionError(Exception):
    """The compressed data is damaged or cut; the message says which."""


def compression_of(head: bytes) -> str | None:
    """The compression that a file starting with `head` (4 bytes are enough) is in, None for none we know."""
    if head[:3] == b"\x1f\x8b\x08":
        return GZIP
    if head[:4] == _ZSTD_MAGIC:
        return ZSTD
    if head[:4] == _LZ4_MAGIC:
        return LZ4
    if _is_skippable(head):  # shared by zstd and lz4; zstd's tools are the ones that write it first
        return ZSTD
    return None


def _is_skippable(head: bytes) -> bool:
    return len(head) >= 4 and 0x50 <= head[0] <= 0x5F and head[1:4] == b"\x2a\x4d\x18"


class _ZstdMember:
    """One zstd frame, fed to the decoder by whole blocks: a block makes at most 128 KiB (RFC 8878, 3.1.1.2).

    The decoder does not say how much it made before it met damage, so what it is fed at a time is lost with it.
    """

    def __init__(self) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._decoder = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).decompressobj()
        self._waiting = b""
        self._at = 0  # what of it was fed
        self._size = -1  # of the next unit
        self._fed = 0
        self._started = self._last = self._summed = False
        self._finished = False
        self._output = memoryview(b"")

    @property
    def eof(self) -> bool:
        return self._finished and not self._output

    @property
    def needs_input(self) -> bool:
        return not self._finished and not self._output and self._size < 0

    @property
    def unused_data(self) -> bytes:
        return self._waiting[self._at :]

    def _next(self) -> int:
        """Bytes of the next unit (frame header, block, checksum); -1 when it is not whole, 0 when it cannot be."""
        at, have = self._at, len(self._waiting) - self._at
        head = self._waiting[at : at + 5]
        if not self._started:
            if have < 5:
                return -1
            flags = head[4]
            single = flags >> 5 & 1
            size = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
        elif self._last:
            size = 4
        else:
            if have < 3:
                return -1
            block = head[0] | head[1] << 8 | head[2] << 16
            size = 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
            if size > _MAX_ZSTD_BLOCK + 3:
                return 0
        return size if have >= size else -1

    def _take(self) -> bytes:
        """The units that lie ready, as many as may be lost with a damaged one."""
        start = self._at
        most = 1 if self._fed < SALVAGE else _ZSTD_BLOCKS
        for _ in range(most):
            if not self._started:
                self._started = True
                self._summed = bool(self._waiting[start + 4] & 4)
            elif self._last:
                self._finished = True
            else:
                self._last = bool(self._waiting[self._at] & 1)
                self._finished = self._last and not self._summed
            self._at += self._size
            self._size = self._next()
            if self._size <= 0 or self._last:  # the checksum comes alone: when it is wrong, the blocks are given
                break
        self._fed += self._at - start
        return self._waiting[start : self._at]

    def decompress(self, data: bytes, max_length: int) -> memoryview:
        """Some of the bytes."""
        if data:
            self._waiting = self._waiting[self._at :] + data
            self._at = 0
            self._size = self._next()
        while self._size >= 0 and not self._output and not self._finished:
            if self._size == 0:
                raise DecompressionError("a zstd block is larger than the format allows")
            try:
                self._output = memoryview(self._decoder.decompress(self._take()))
            except self._error as error:
                raise DecompressionError(f"damaged zstd data ({error})") from error
        piece, self._output = self._output[:max_length], self._output[max_length:]
        return piece


class _SkippableMember:
    """A frame that zstd and lz4 tools skip: 4 bytes magic, 4 bytes length, that many bytes."""

    def __init__(self) -> None:
        self._head = b""
        self._left = -1
        self.eof = False
        self.unused_data = b""
        self.needs_input = True

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._left < 0:
            self._head += data
            if len(self._head) < 8:
                return b""
            self._left = int.from_bytes(self._head[4:8], "little")
            data = self._head[8:]
        used = min(self._left, len(data))
        self._left -= used
        if self._left == 0:
            self.eof = True
            self.needs_input = False
            self.unused_data = data[used:]
        return b""


class _GzipMember:
    """One gzip member. When its data turns out damaged, what comes before the damage is given all the same."""

    def __init__(self) -> None:
        from isal import igzip_lib

        self._error: Any = igzip_lib.IsalError
        self._decoder = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._fed: bytearray | None = bytearray()  # all input, while it is short enough to go through it again
        self._given = 0
        self._rest = b""  # what was saved, to be given before the failure is told
        self._failure: Exception | None = None

    @property
    def eof(self) -> bool:
        return bool(self._decoder.eof)

    @property
    def needs_input(self) -> bool:
        return bool(self._decoder.needs_input) and self._failure is None

    @property
    def unused_data(self) -> bytes:
        return bytes(self._decoder.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if self._failure is None:
            if self._fed is not None:
                self._fed += data
                if len(self._fed) > SALVAGE:
                    self._fed = None
            try:
                piece: bytes = self._decoder.decompress(data, min(max_length, PIECE))
            except self._error as error:
                self.fail(error)
            else:
                self._given += len(piece)
                return piece
        piece, self._rest = self._rest[:max_length], self._rest[max_length:]
        if not piece and self._failure is not None:
            raise self._failure
        return piece

    def fail(self, error: Exception) -> None:
        """Nothing more can be inflated: give what can be saved, then raise `error`."""
        self._failure = error
        self._rest = self._salvage()

    def _salvage(self) -> bytes:
        """The bytes between what was given and the damage, found by going through the input again, byte by byte."""
        if self._fed is None:
            return b""
        decoder = zlib.decompressobj(31)
        output = bytearray()
        seen = 0
        try:
            for at in range(len(self._fed)):
                piece = decoder.decompress(self._fed[at : at + 1], PIECE)
                while piece:
                    seen += len(piece)
                    if seen > self._given:
                        output += piece[max(len(piece) - (seen - self._given), 0) :]
                    if len(output) > MAX_SALVAGED:
                        return bytes(output)
                    piece = decoder.decompress(decoder.unconsumed_tail, PIECE) if decoder.unconsumed_tail else b""
        except zlib.error:
            pass
        return bytes(output)


def _lz4_member() -> Any:
    import lz4.frame

    return lz4.frame.LZ4FrameDecompressor()


class Inflater:
    """The decompressed bytes of a compressed input.

    `read` gives some compressed bytes, b"" at the end; `prompt`: it never waits for somebody to write.
    `note(code, message)` is told once about what follows the compressed data without being any.
    """

    def __init__(
        self, head: bytes, read: Callable[[int], bytes], note: Callable[[str, str], None], *, prompt: bool
    ) -> None:
        self._input = head
        self._read = read
        self._note = note
        self._prompt = prompt
        self._member: Any = None
        self._ended = False
        self._failure: Exception | None = None
        self._members = 0

    def _fetch(self) -> bool:
        piece = self._read(PIECE)
        self._input += piece
        return bool(piece)

    def _start_member(self) -> bool:
        while len(self._input) < 4 and self._fetch():
            pass
        head = self._input
        if not head:
            return False
        kind = compression_of(head)
        if kind is None:
            self._trailing()
            return False
        if _is_skippable(head):
            self._member = _SkippableMember()
        else:
            self._member = {GZIP: _GzipMember, ZSTD: _ZstdMember, LZ4: _lz4_member}[kind]()
        self._members += 1
        return True

    def _trailing(self) -> None:
        """Zeros up to the end are padding (tapes, block devices), anything else is worth a word."""
        while True:
            if self._input.strip(b"\0"):
                self._note(
                    TRAILING, "bytes that are not compressed data follow the compressed data; they were left out"
                )
                return
            self._input = b""
            if not self._fetch():
                return

    def readinto(self, view: memoryview) -> int:
        """Fill `view` as far as that needs no waiting, at least with one byte; 0 at the end.

        Raises DecompressionError, and what `read` raises, when all before the failure has been given.
        """
        filled = 0
        while filled < len(view) and self._failure is None:
            try:
                count = self._inflate(view[filled:], wait=self._prompt or not filled)
            except Exception as error:
                self._failure = error
                break
            if count == 0:
                break
            filled += count
        if filled == 0 and self._failure is not None:
            raise self._failure
        return filled

    def _inflate(self, view: memoryview, wait: bool) -> int:
        """Fill the front of `view` with the next piece; 0 at the end, or instead of waiting without `wait`."""
        while not self._ended:
            if not wait and (self._member is None or (self._member.needs_input and not self._input)):
                return 0
            if self._member is None and not self._start_member():
                self._ended = True
                break
            member = self._member
            data = b""
            if member.needs_input:
                if not self._input and not self._fetch():
                    error = DecompressionError("the compressed data is cut short")
                    if not isinstance(member, _GzipMember):
                        raise error
                    member.fail(error)
                data, self._input = self._input, b""
            try:
                piece = member.decompress(data, len(view))
            except DecompressionError:
                raise
            except Exception as caught:  # each library has its own
                raise DecompressionError(f"the compressed data is damaged ({caught})") from caught
            if member.eof:
                self._input = member.unused_data or b""
                self._member = None
            if piece:
                view[: len(piece)] = piece
                return len(piece)
        return 0
