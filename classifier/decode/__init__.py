"""Decoding: RECORD rows in, PACKET rows out (innermost IP header, ports, encapsulation), one row per record.

`decode_batch` is the kernel (call it through `jit.speed`); the rest are names of what its codes mean. Layers are in
`link`, `pseudo`, `serial`, `wlan`, `labels`, `tunnels`, `network` and `transport`, numbers and names in `protocols`
and `layers`; `packet` holds the loop over layers, `simple` the short way of the common frame; `sniff` then looks at
what the payloads begin with (`hints`). Next: `flows`.
"""

from __future__ import annotations

from classifier.decode.packet import decode_batch
from classifier.decode.protocols import (
    LINK_CODES,
    LINK_PROTOCOLS,
    STOPS,
    component_of_ip_protocol,
    component_of_link,
    protocol_name,
)
from classifier.decode.sniff import sniff_batch

__all__ = [
    "LINK_CODES",
    "LINK_PROTOCOLS",
    "STOPS",
    "component_of_ip_protocol",
    "component_of_link",
    "decode_batch",
    "protocol_name",
    "sniff_batch",
]
