"""What a file is that is no capture, and which files of a folder are captures.

In: the first bytes of a file. Out: a NotACaptureError with one sentence that helps, and `find_captures`.
Next: `reader.py`, the command line.
"""

from __future__ import annotations

import os
import string
from collections.abc import Sequence
from pathlib import Path

from classifier.capture.source import Source
from classifier.errors import CaptureError, NotACaptureError

_EDITCAP = "convert it with Wireshark's editcap: editcap -F pcapng {name} {stem}.pcapng"

# magic, what it is, what to do
_KNOWN = (
    (b"snoop\0\0\0", "a Solaris snoop capture", _EDITCAP),
    (b"GMBU", "a Microsoft Network Monitor 2 capture", _EDITCAP),
    (b"RTSS", "a Microsoft Network Monitor 1 capture", _EDITCAP),
    (b"iptrace 1.0", "an AIX iptrace capture", _EDITCAP),
    (b"iptrace 2.0", "an AIX iptrace capture", _EDITCAP),
    (b"TRSNIFF data    \x1a", "a Sniffer capture", _EDITCAP),
    (b"XCP\0", "a NetXray or Sniffer Basic capture", _EDITCAP),
    (b"VL\0\0", "a NetXray capture", _EDITCAP),
    (b"\x7fver", "an OmniPeek or EtherPeek capture", _EDITCAP),
    (b"btsnoop\0", "a Bluetooth snoop log", _EDITCAP),
    (b"LOGG", "a Vector BLF log", _EDITCAP),
    (b"\x05VNF", "a Visual Networks capture", _EDITCAP),
    (b"ElfFile\0", "a Windows event log", ""),
    (b"PK\x03\x04", "a zip archive", "unpack it and give the capture inside"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "unpack it and give the capture inside"),
    (b"Rar!", "a RAR archive", "unpack it and give the capture inside"),
    (b"BZh", "bzip2-compressed", "decompress it first: bunzip2 {name}"),
    (b"\xfd7zXZ\0", "xz-compressed", "decompress it first: unxz {name}"),
    (b"\x02\x21\x4c\x18", "lz4-compressed in the legacy format", "decompress it first: lz4 -d {name}"),
    (b"MSCF", "a Windows cabinet", "unpack it and give the capture inside"),
    (b"\x7fELF", "an executable program", ""),
    (b"MZ", "a Windows program", ""),
    (b"%PDF", "a PDF document", ""),
    (b"\x89PNG", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"SQLite format 3\0", "a SQLite database", ""),
    (b"PAR1", "a Parquet file", ""),
    (b"#!", "a script", ""),
)
_TEXT = frozenset(string.printable.encode()) | frozenset(range(0x80, 0x100))
_PCAP_MAGICS = [bytes.fromhex(m) for m in ("a1b2c3d4", "d4c3b2a1", "a1b23c4d", "4d3cb2a1", "a1b2cd34", "34cdb2a1")]
_SUFFIXES = (".pcap", ".pcapng", ".cap")
_COMPRESSED = (".gz", ".zst", ".lz4")
_PCAPNG_MAGIC = b"\x0a\x0d\x0d\x0a"


def refuse(path: str, head: bytes, source: Source) -> CaptureError:
    """The error for a file that starts with `head` and is no capture."""
    if not head:
        if source.error is not None:
            return CaptureError(path, f"cannot be read ({getattr(source.error, 'strerror', None) or source.error})")
        return NotACaptureError(path, "is empty, not a capture")
    inside = f" inside the {source.compression} compression" if source.compression else ""
    name = "FILE" if path == "-" else Path(path).name
    stem = "FILE" if path == "-" else Path(path).name.split(".")[0]
    for magic, what, remedy in _KNOWN:
        if head.startswith(magic):
            after = f"; {remedy.format(name=name, stem=stem)}" if remedy else ", not a capture"
            return NotACaptureError(path, f"is {what}{inside}{after}")
    if head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18")):
        return NotACaptureError(path, "is compressed twice; decompress it once and try again")
    if head[:4] in _PCAP_MAGICS:
        return NotACaptureError(path, f"starts like a pcap file{inside}, but ends inside the file header")
    if _PCAPNG_MAGIC.startswith(head[:4]) or head[:4] == _PCAPNG_MAGIC:
        return NotACaptureError(path, f"starts like a pcapng file{inside}, but its section header is damaged or cut")
    if path.lower().endswith(".etl"):
        return NotACaptureError(path, f"is a Windows trace, not a capture; convert it with: pktmon etl2pcap {name}")
    if head.count(0) == len(head):
        return NotACaptureError(path, f"begins with zeros{inside}; this is not a capture, or its beginning is lost")
    if _looks_like_text(head):
        return NotACaptureError(path, f"is a text file{inside}, not a capture (pcap and pcapng are read)")
    if _looks_like_erf(head):
        return NotACaptureError(
            path, f"looks like an Endace ERF capture{inside}; {_EDITCAP.format(name=name, stem=stem)}"
        )
    return NotACaptureError(
        path, f"is not a capture{inside} (pcap and pcapng are read; first bytes {head[:4].hex(' ')})"
    )


def _looks_like_text(head: bytes) -> bool:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16
        return True
    if any(byte not in _TEXT for byte in head):
        return False
    return sum(byte < 0x80 for byte in head) >= 0.8 * len(head)


def _looks_like_erf(head: bytes) -> bool:
    """ERF has no magic: timestamp (little-endian), type, flags, record length, loss counter, wire length."""
    if len(head) < 16:
        return False
    seconds = int.from_bytes(head[4:8], "little")
    kind = head[8] & 0x7F
    length, wire = int.from_bytes(head[10:12], "big"), int.from_bytes(head[14:16], "big")
    return 500_000_000 < seconds < 4_000_000_000 and 1 <= kind <= 48 and 16 < length <= wire + 64 and wire > 0


def is_capture(path: str | os.PathLike[str]) -> bool:
    """Whether the file is a capture that `open_capture` reads, by its first bytes; False if it cannot be opened."""
    from classifier.capture.pcap import parse_header
    from classifier.capture.pcapng import is_section

    try:
        source = Source(path, chunk=256)
    except CaptureError:
        return False
    try:
        head = source.buffer[source.start : source.end][:64].tobytes()
        return is_section(head) or parse_header(head) is not None
    finally:
        source.close()


def called_capture(name: str) -> bool:
    name = name.lower()
    for suffix in _COMPRESSED:
        name = name.removesuffix(suffix)
    return name.endswith(_SUFFIXES)


def find_captures(paths: Sequence[str | os.PathLike[str]]) -> list[str]:
    """The capture files that `paths` name: files and `-` as they are, folders replaced by the captures in them.

    A folder gives its direct children that are captures by content, sorted by name, hidden ones left out. Those that
    are called captures and are none are given too: among rotated files, the broken one must be named.
    Raises CaptureError for a folder that cannot be listed or holds no capture.
    """
    found: list[str] = []
    for item in paths:
        path = os.fspath(item)
        if path == "-" or not Path(path).is_dir():
            found.append(path)
            continue
        try:
            children = sorted(Path(path).iterdir())
        except OSError as error:
            raise CaptureError(path, f"cannot be listed ({error.strerror or error})") from None
        files = [child for child in children if not child.name.startswith(".") and child.is_file()]
        captures = [child for child in files if is_capture(child)]
        if not captures:
            raise CaptureError(path, "is a folder without captures")
        found += [str(child) for child in files if child in captures or called_capture(child.name)]
    return found
