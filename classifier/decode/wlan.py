"""802.11 frames and the headers that capture programs put before them: radiotap, Prism, AVS, PPI.

In: the place of a header. Out: what follows (see `layers`): data frames go on as LLC, encrypted ones are named as such,
management, control and empty data frames are "wlan". Next: `link` (LLC).
IEEE 802.11-2020 section 9; radiotap.org; PPI 1.0.10; LINKTYPE_ registry.
"""

from __future__ import annotations

from typing import Any

from classifier.decode.fields import be16, be32, be48, le16, le32
from classifier.decode.layers import AVS, LLC, NAMED, PPI, PRISM, RADIOTAP, RAW_LINK, STOPPED, WLAN
from classifier.decode.protocols import LINK_CODES, STOP_CUT, STOP_LENGTH, STOP_VERSION
from classifier.jit import i64, kernel

_WLAN = LINK_CODES["wlan"]
_ENCRYPTED = LINK_CODES["wlan_encrypted"]
_LINK = LINK_CODES["link"]

_TO_DS, _FROM_DS, _MORE_FRAGMENTS, _PROTECTED, _ORDER = 0x01, 0x02, 0x04, 0x40, 0x80


@kernel
def wlan_source(buffer: Any, at: int) -> int:
    """Source address of an 802.11 data frame whose header is whole."""
    direction = i64(buffer[at + 1]) & 3
    if direction == 3:
        return be48(buffer, at + 24)
    if direction == _FROM_DS:
        return be48(buffer, at + 16)
    return be48(buffer, at + 10)


@kernel
def wlan_destination(buffer: Any, at: int) -> int:
    """Destination address of an 802.11 data frame whose header is whole."""
    if i64(buffer[at + 1]) & _TO_DS:
        return be48(buffer, at + 16)
    return be48(buffer, at + 4)


@kernel
def is_wlan_data(buffer: Any, at: int, end: int) -> bool:
    """Whether a whole 802.11 header belongs to a data frame (then it has both addresses)."""
    if end - at < 24 or i64(buffer[at]) & 0x0F != 0x08:
        return False
    return i64(buffer[at + 1]) & 3 != 3 or end - at >= 30


@kernel
def wlan_header(buffer: Any, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """802.11: data frames lead to LLC. Of an aggregated frame (A-MSDU) the first part counts."""
    if end - at < 2:
        return STOPPED, STOP_CUT, at, limit, 0
    control = i64(buffer[at])
    flags = i64(buffer[at + 1])
    if control & 0x0F != 0x08:
        return NAMED, _WLAN if control & 3 == 0 else _LINK, at, limit, 0
    subtype = control >> 4
    size = 24
    if flags & 3 == 3:
        size = 30
    quality_at = at + size
    if subtype & 8:
        size += 2
        if flags & _ORDER:
            size += 4
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    sequence = le16(buffer, at + 22)
    aggregated = subtype & 8 != 0 and i64(buffer[quality_at]) & 0x80 != 0
    if value == 1:
        size = (size + 3) & ~3
    after = at + size
    if subtype & 4:
        return NAMED, _WLAN, after, limit, 0
    if flags & _PROTECTED:
        return NAMED, _ENCRYPTED, after, limit, 0
    if sequence & 15:  # a later fragment
        return NAMED, _WLAN, after, limit, 0
    if aggregated:
        if end - after < 14:
            return STOPPED, STOP_CUT, at, limit, 0
        return LLC, 0, after + 14, min(limit, after + 14 + be16(buffer, after + 12)), 0
    return LLC, 0, after, limit, 0


@kernel
def radiotap_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Radiotap: its length, and from its flags field: checksum at the end, padding after the 802.11 header."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) != 0:
        return STOPPED, STOP_VERSION, at, limit, 0
    size = le16(buffer, at + 2)
    if size < 8:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    present = le32(buffer, at + 4)
    flags = 0
    if present & 2:
        field = at + 4
        while field + 4 <= at + size and i64(buffer[field + 3]) & 0x80:  # more presence words
            field += 4
        field += 4
        if present & 1:  # timestamp, aligned to 8 bytes from the start
            field = at + ((field - at + 7) & ~7) + 8
        if field < at + size:
            flags = i64(buffer[field])
    if flags & 0x10:
        limit -= 4
    return WLAN, 1 if flags & 0x20 else 0, at + size, limit, 0


@kernel
def prism_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Prism monitor header, in either byte order, or AVS in its place."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    code = be32(buffer, at)
    if code & 0xFFFFF000 == 0x80211000:
        return AVS, 0, at, limit, 0
    size = be32(buffer, at + 4)
    if code & 0xFFFF0000:
        size = le32(buffer, at + 4)
    if size < 8:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return WLAN, 0, at + size, limit, 0


@kernel
def avs_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """AVS monitor header: magic and length, most significant byte first."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    size = be32(buffer, at + 4)
    if size < 8:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return WLAN, 0, at + size, limit, 0


@kernel
def ppi_header(buffer: Any, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """Per-packet information: its length and the link type of what follows."""
    if end - at < 8:
        return STOPPED, STOP_CUT, at, limit, 0
    if i64(buffer[at]) != 0:
        return STOPPED, STOP_VERSION, at, limit, 0
    size = le16(buffer, at + 2)
    if size < 8:
        return STOPPED, STOP_LENGTH, at, limit, 0
    if end - at < size:
        return STOPPED, STOP_CUT, at, limit, 0
    return RAW_LINK, le32(buffer, at + 4), at + size, limit, 0


@kernel
def radio_layer(buffer: Any, kind: int, value: int, at: int, end: int, limit: int) -> tuple[int, int, int, int, int]:
    """One step through a layer of this module."""
    if kind == WLAN:
        return wlan_header(buffer, value, at, end, limit)
    if kind == RADIOTAP:
        return radiotap_header(buffer, at, end, limit)
    if kind == PRISM:
        return prism_header(buffer, at, end, limit)
    if kind == AVS:
        return avs_header(buffer, at, end, limit)
    if kind == PPI:
        return ppi_header(buffer, at, end, limit)
    return NAMED, _LINK, at, limit, 0
