"""Addresses as bytes, group addresses of Ethernet, the Internet checksum."""

from __future__ import annotations

import ipaddress
import struct


def packed(address: str) -> bytes:
    """An IPv4 address as four bytes."""
    return ipaddress.IPv4Address(address).packed


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def group_mac(address: str) -> str:
    """The Ethernet address of a group (RFC 1112, RFC 2464); broadcast addresses end in 255."""
    number = ipaddress.ip_address(address)
    if number.version == 6:
        low = int(number)
        return "33:33:" + ":".join(f"{low >> shift & 255:02x}" for shift in (24, 16, 8, 0))
    low = int(number)
    if not number.is_multicast:
        return "ff:ff:ff:ff:ff:ff"
    return f"01:00:5e:{low >> 16 & 127:02x}:{low >> 8 & 255:02x}:{low & 255:02x}"
