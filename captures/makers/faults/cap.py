"""Scenes of the rules about what a capture can show."""

from __future__ import annotations

from ..files import capture_bytes
from .scene import Scene, digifort_at_work, lan


def short_packets(snaplen: int) -> bytes:
    """A server and its client, captured up to `snaplen` bytes a packet (0: whole)."""
    site = lan(snaplen=snaplen)
    digifort_at_work(site, site.host("server", "10.1.0.5"), site.host("client", "10.1.0.40"))
    return capture_bytes(site)


SCENES: list[Scene] = [
    Scene(
        "CAP-SNAPLEN",
        "96 bytes a packet",
        lambda: short_packets(96),
        says=("of the bytes were not captured", "limit is 96 bytes"),
        severity="info",
    ),
    Scene("CAP-SNAPLEN", "whole packets", lambda: short_packets(0), fires=0),
]
