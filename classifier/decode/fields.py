"""Integers in a buffer: big-endian and little-endian fields. The caller has checked that they are inside."""

from __future__ import annotations

from typing import Any

from classifier.jit import i64, kernel


@kernel
def be16(buffer: Any, at: int) -> int:
    """Two bytes, most significant first."""
    return i64(buffer[at]) << 8 | i64(buffer[at + 1])


@kernel
def be24(buffer: Any, at: int) -> int:
    """Three bytes, most significant first."""
    return i64(buffer[at]) << 16 | i64(buffer[at + 1]) << 8 | i64(buffer[at + 2])


@kernel
def be32(buffer: Any, at: int) -> int:
    """Four bytes, most significant first."""
    return i64(buffer[at]) << 24 | i64(buffer[at + 1]) << 16 | i64(buffer[at + 2]) << 8 | i64(buffer[at + 3])


@kernel
def be48(buffer: Any, at: int) -> int:
    """Six bytes, most significant first: a MAC address."""
    return be16(buffer, at) << 32 | be32(buffer, at + 2)


@kernel
def le16(buffer: Any, at: int) -> int:
    """Two bytes, least significant first."""
    return i64(buffer[at]) | i64(buffer[at + 1]) << 8


@kernel
def le32(buffer: Any, at: int) -> int:
    """Four bytes, least significant first."""
    return i64(buffer[at]) | i64(buffer[at + 1]) << 8 | i64(buffer[at + 2]) << 16 | i64(buffer[at + 3]) << 24
