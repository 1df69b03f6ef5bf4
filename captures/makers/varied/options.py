"""What may vary between generated sites; the seed decides everything else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SECONDS = 60
"""How long every site is watched."""


@dataclass(frozen=True)
class Options:
    """One kind of site, seen in one way.

    `content`: "opaque" is noise instead of the products' messages and media, and TLS instead of HTTP and camera RTSP.
    `start`: "midstream" without handshakes, greetings, stream set-up, SSRP: everything ran before the capture.
    `directions`: at the servers' link, only what goes "into" the servers or comes "out_of" them.
    `ports`: "moved" gives every service of the products that has a port of its own another one; groups, the media
    range and the audio ports stay.
    `layout`: "one_host" puts the servers of both products and the SQL Server on one machine.
    `addresses`: "nat" puts all clients behind one address and the servers behind a router's forwarded ports,
    the same or, by seed, others.
    `decoys`: a site without the products, with other services on all their ports: "speaking" shows what it is,
    "opaque" does not, so that the ports alone may suggest a product. "beside": the speaking ones beside the products.
    `snaplen`: bytes kept of a frame, 0 all. `packets`: about how many.
    """

    content: Literal["visible", "opaque"] = "visible"
    start: Literal["whole", "midstream"] = "whole"
    directions: Literal["both", "into", "out_of"] = "both"
    ports: Literal["standard", "moved"] = "standard"
    layout: Literal["apart", "one_host"] = "apart"
    addresses: Literal["plain", "nat"] = "plain"
    decoys: Literal["", "speaking", "opaque", "beside"] = ""
    snaplen: int = 0
    packets: int = 3000

    @property
    def opaque(self) -> bool:
        """The products' payloads say nothing."""
        return self.content == "opaque"

    @property
    def name(self) -> str:
        """What differs from the plain site, in words."""
        words = [
            {"opaque": "content opaque"}.get(self.content),
            {"midstream": "mid-stream"}.get(self.start),
            {"into": "only into the servers", "out_of": "only out of the servers"}.get(self.directions),
            {"moved": "ports moved"}.get(self.ports),
            {"one_host": "one host"}.get(self.layout),
            {"nat": "NAT"}.get(self.addresses),
            {
                "speaking": "no product, decoys that speak",
                "opaque": "no product, opaque decoys",
                "beside": "decoys beside",
            }.get(self.decoys),
            f"snaplen {self.snaplen}" if self.snaplen else None,
        ]
        return ", ".join(word for word in words if word) or "plain"
