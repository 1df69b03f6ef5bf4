"""The bytes of one input in chunks, read ahead: plain or compressed file, pipe, stream.

In: a path, `-`, or a binary stream. Out: `Source`, a window of contiguous bytes that moves over the (decompressed)
input: `buffer[start:end]` is what is not used up yet. Next: the readers of `pcap.py` and `pcapng.py`.

Nothing is mapped: a file that shrinks under us is a short read, not a bus error. What fits into one chunk is read at
once; anything longer is read by a thread that stays at most POOL chunks ahead. The thread appends to the chunk that the
reader already looks at, so a pipe's bytes are seen as they come, and a fast one's in large pieces.
"""

from __future__ import annotations

import io
import os
import stat
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from classifier.capture.compression import Inflater, compression_of
from classifier.capture.model import Bytes
from classifier.errors import CaptureError

CHUNK = 1 << 20
HEADROOM = (1 << 18) + 4096
"""Room in front of a chunk for the unfinished record of the one before: a largest common record and its header."""
POOL = 4
HEAD = 24
"""Bytes wanted before the format is told."""
NONBLOCKING_WAIT_S = 0.01


class Raw:
    """The undecoded input: reads, counts, knows its size where there is one."""

    def __init__(self, source: str | os.PathLike[str] | BinaryIO | Any) -> None:
        self.position = 0
        self.size: int | None = None
        self.prompt = False  # a read never waits for somebody to write
        self._owned = False
        if isinstance(source, str | os.PathLike):
            self.path = os.fspath(source)
            if self.path == "-":
                self._stream: Any = _unbuffered(sys.stdin.buffer)
            else:
                self._stream = self._open(self.path)
                self._owned = True
        else:
            self._stream = getattr(source, "buffer", source)
            name = getattr(source, "name", None)
            self.path = name if isinstance(name, str) and not name.startswith("<") else "-"
            if isinstance(self._stream, io.BytesIO):
                self.prompt = True
                self.size = self._stream.getbuffer().nbytes - self._stream.tell()
        self._fill = getattr(self._stream, "readinto1", None) or getattr(self._stream, "readinto", None)
        self._look()

    def _open(self, path: str) -> BinaryIO:
        try:
            if Path(path).is_dir():
                raise CaptureError(path, "is a folder, not a capture file")
            return Path(path).open("rb", buffering=0)
        except FileNotFoundError:
            raise CaptureError(path, "no such file") from None
        except PermissionError:
            raise CaptureError(path, "no permission to read it") from None
        except (OSError, ValueError) as error:
            raise CaptureError(path, f"cannot be opened ({_reason(error)})") from None

    def _look(self) -> None:
        try:
            if self._stream.isatty():
                raise CaptureError(self.path, "standard input is a terminal; pipe a capture into it or name a file")
            status = os.fstat(self._stream.fileno())
        except (OSError, AttributeError, io.UnsupportedOperation):
            return
        if stat.S_ISREG(status.st_mode):
            self.prompt = True
            self.size = max(status.st_size - self._stream.tell(), 0)

    def readinto(self, view: memoryview) -> int:
        """Fill the front of `view` with what is there; 0 at the end. Raises OSError."""
        while True:
            if self._fill is not None:
                count = self._fill(view)
            else:
                piece = self._stream.read(len(view))
                count = None if piece is None else len(piece)
                if piece:
                    view[:count] = piece
            if count is None:  # a non-blocking stream without data
                time.sleep(NONBLOCKING_WAIT_S)
                continue
            self.position += count
            return int(count)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes; b"" at the end."""
        piece = bytearray(size)
        count = self.readinto(memoryview(piece))
        return bytes(piece[:count])

    def at_end(self) -> bool:
        """Nothing is left of an input whose size is known (and still the same)."""
        if self.size is None or self.position < self.size:
            return False
        try:
            return bool(os.fstat(self._stream.fileno()).st_size <= self._stream.tell())
        except (OSError, AttributeError, io.UnsupportedOperation):
            return self.prompt

    def close(self) -> None:
        if self._owned:
            self._stream.close()


def _unbuffered(stream: Any) -> Any:
    """Standard input below its buffer: a thread that waits inside the buffer when the program ends would abort it."""
    raw = getattr(stream, "raw", None)
    return raw if isinstance(raw, io.FileIO) else stream


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Chunk:
    """Memory with room for carried bytes in front; `filled` grows while it is read into."""

    __slots__ = ("array", "filled", "sealed", "view")

    def __init__(self, headroom: int, size: int) -> None:
        self.array: Bytes = np.empty(headroom + size, np.uint8)
        self.view: memoryview = self.array.data
        self.filled = headroom
        self.sealed = False  # no more will be added


@dataclass(slots=True)
class Window:
    """Bytes that a walker goes through: `buffer[start:end]`; `offset + i` is the place of `buffer[i]` in the input."""

    buffer: Bytes
    start: int
    end: int
    offset: int
    finished: bool = False


class Source:
    """A window over the decompressed bytes of one input.

    `buffer[start:end]` are bytes read and not used up; the reader moves `start`. `more()` makes further bytes readable
    and may put the unread ones into another buffer. `offset + i` is the place of `buffer[i]` in the input.
    `error` is what ended the input before its time (OSError, DecompressionError), None if nothing did.
    """

    def __init__(self, source: str | os.PathLike[str] | BinaryIO | Any, *, chunk: int = CHUNK) -> None:
        """Opens the input and reads its first bytes. Raises CaptureError when that is impossible."""
        self.raw = Raw(source)
        self.path = self.raw.path
        self.size = self.raw.size
        self.compression: str | None = None
        self.notes: list[tuple[str, str]] = []
        self.error: Exception | None = None
        self._chunk_size = max(chunk, 1)
        self._headroom = min(HEADROOM, self._chunk_size)
        self._pull = self.raw.readinto
        self._lock = threading.Condition()
        self._free: deque[_Chunk] = deque()
        self._made = 0
        self._ready: deque[_Chunk] = deque()
        self._ended = False  # the producer will add nothing any more
        self._stopped = False
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._finished = False
        self.waiting = False  # `more` has nothing to give
        self._private = False  # the current chunk is not of the pool
        self._now = _Chunk(0, max(self._chunk_size, HEAD))
        self.start = self.end = 0
        self.offset = 0
        try:
            self._first()
        except CaptureError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise CaptureError(self.path, f"cannot be read ({_reason(error)})") from None

    # -- what the reader uses

    @property
    def buffer(self) -> Bytes:
        return self._now.array

    @property
    def bytes_read(self) -> int:
        """Bytes of the file read so far (compressed ones, if it is)."""
        return self.raw.position

    @property
    def prompt(self) -> bool:
        """Reading never waits for somebody to write: a file or memory, no pipe."""
        return self.raw.prompt

    @property
    def finished(self) -> bool:
        """The window ends where the input ends, as far as is known."""
        return self._finished or self.whole

    @property
    def whole(self) -> bool:
        """Everything there is lies in the window."""
        return self._ended and self._thread is None and self.end == self._now.filled

    def more(self) -> bool:
        """Make more bytes readable, waiting for them; False when the input has ended."""
        if self._thread is None and not self._ended:
            self._start()
        try:
            self.waiting = True
            following = self._await()
        finally:
            self.waiting = False
        return following if isinstance(following, bool) else self._move(following)

    def _await(self) -> _Chunk | bool:
        """Wait for bytes: True when the chunk at hand got more, False at the end, else the chunk to go on in."""
        chunk = self._now
        with self._lock:
            while True:
                if self._failure is not None:
                    failure, self._failure = self._failure, None
                    raise failure
                if not self._private:
                    if chunk.filled > self.end:
                        self.end = chunk.filled
                        return True
                    if not chunk.sealed:
                        self._lock.wait()
                        continue
                if self._ready and (self._ready[0].filled > self._headroom or self._ready[0].sealed):
                    return self._ready[0]
                if self._ended and not self._ready:
                    self._finished = True
                    return False
                self._lock.wait()

    def close(self) -> None:
        """End the reading thread and close the file. May be called twice."""
        thread = self._thread
        with self._lock:
            self._stopped = True
            self._lock.notify_all()
        if thread is not None and thread is not threading.current_thread():
            if self.raw.prompt:
                thread.join()
            elif thread.is_alive():
                return  # it waits for a pipe; it closes the stream itself when it comes back
        self.raw.close()

    # -- chunks

    def _first(self) -> None:
        """Read the head, find the compression, and for plain files and decompressed data fill the first chunk."""
        view = self._now.view
        filled = 0
        while filled < 4:
            count = self.raw.readinto(view[filled : max(filled + 1, len(view))])
            if count == 0:
                break
            filled += count
        self.compression = compression_of(bytes(view[:4])) if filled >= 3 else None
        if self.compression:
            inflater = Inflater(
                bytes(view[:filled]),
                self.raw.read,
                lambda code, text: self.notes.append((code, text)),
                prompt=self.raw.prompt,
            )
            self._pull = inflater.readinto
            filled = 0
        self._now.filled = filled
        self._now.sealed = filled == len(view)
        want = len(view) if self.raw.prompt else min(HEAD, len(view))
        while self._now.filled < want and not self._ended:
            self._pull_into(self._now)
        if self._now.filled == len(view) and self.compression is None and self.raw.at_end():
            self._ended = self._now.sealed = True  # a small file needs no thread
        self.end = self._now.filled

    def _pull_into(self, chunk: _Chunk) -> None:
        """Read some bytes into the free end of the chunk; sets `_ended` at the end of the input."""
        count = 0
        error: Exception | None = None
        try:
            count = self._pull(chunk.view[chunk.filled :])
        except Exception as caught:
            if not _is_input_error(caught):
                raise
            error = caught
        with self._lock:
            chunk.filled += count
            if error is not None:
                self.error = error
            if count == 0:
                self._ended = True
                chunk.sealed = True
            elif chunk.filled == len(chunk.array):
                chunk.sealed = True
            self._lock.notify_all()

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="capture-reader", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            chunk = self._now
            while not self._ended and not self._stopped:
                if chunk.sealed:
                    following = self._take()
                    if following is None:
                        break
                    chunk = following
                self._pull_into(chunk)
        except BaseException as failure:
            with self._lock:
                self._failure = failure
                self._ended = True
                self._lock.notify_all()
        finally:
            if self._stopped and not self.raw.prompt:
                self.raw.close()

    def _take(self) -> _Chunk | None:
        """A chunk to read into, as soon as one is free; it joins the ready ones at once."""
        with self._lock:
            while not self._free and self._made >= POOL:
                if self._stopped:
                    return None
                self._lock.wait()
            if self._free:
                chunk = self._free.popleft()
                chunk.filled = self._headroom
                chunk.sealed = False
            else:
                chunk = _Chunk(self._headroom, self._chunk_size)
                self._made += 1
            self._ready.append(chunk)
            return chunk

    def _move(self, following: _Chunk) -> bool:
        """Go on in the next chunk, with the unread bytes in front of what it holds."""
        old, left = self._now, self.end - self.start
        place = self.offset + self.end
        if left <= self._headroom:
            at = self._headroom - left
            following.array[at : self._headroom] = old.array[self.start : self.end]
            with self._lock:
                self._ready.popleft()
                self._release(old)
                self._now, self._private = following, False
                self.start, self.end = at, following.filled
            self.offset = place - self._headroom
            return self.end > self._headroom or self.more()
        # a record longer than the room in front of a chunk: collect it in memory of its own, doubled as it fills
        with self._lock:
            while not following.sealed:  # its bytes are copied once, when all are there
                if following.filled == len(following.array) or self._failure is not None:
                    break
                self._lock.wait()
            self._ready.popleft()
        count = following.filled - self._headroom
        if self._private and self.end + count <= len(old.array):
            chunk = old
            at = self.start
        else:
            chunk = _Chunk(0, max(2 * (left + count), self._chunk_size))
            chunk.array[:left] = old.array[self.start : self.end]
            at = 0
        chunk.array[at + left : at + left + count] = following.array[self._headroom : following.filled]
        chunk.filled = at + left + count
        chunk.sealed = True
        with self._lock:
            if chunk is not old:
                self._release(old)
            self._free.append(following)
            self._lock.notify_all()
            self._now, self._private = chunk, True
        self.start, self.end = at, chunk.filled
        self.offset = place - (at + left)
        return count > 0 or self.more()

    def _release(self, chunk: _Chunk) -> None:
        if not self._private and len(chunk.array) == self._headroom + self._chunk_size:
            self._free.append(chunk)
            self._lock.notify_all()


def _is_input_error(error: Exception) -> bool:
    from classifier.capture.compression import DecompressionError

    return isinstance(error, OSError | DecompressionError)
