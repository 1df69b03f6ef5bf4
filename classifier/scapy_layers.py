"""Layers for scapy: SQL Server Resolution Protocol messages and Digifort frames.

In: payloads of UDP 1434 and of TCP 8600, 8610, 8611 (bound on import); both layers also build packets. Next:
`classifier.inspect`, the scripts that make sample captures. Importing this imports scapy.

SSRP: Microsoft [MC-SQLR] 2.2.1 to 2.2.6. The Digifort frame has no public description; its layout is rebuilt from
published greetings of version 6.5, the meaning of the constant bytes is unknown, and other versions may differ. What a
frame's parameters hold is never shown, the version text excepted: a NONCE takes part in the login.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

from scapy.config import conf
from scapy.fields import (
    ByteEnumField,
    ByteField,
    ConditionalField,
    FieldLenField,
    IntField,
    LEShortField,
    StrField,
    StrFixedLenField,
    StrLenField,
    StrNullField,
)
from scapy.layers.inet import TCP, UDP
from scapy.packet import Packet, bind_layers

from classifier.evidence.ssrp import parse_reply, parse_request

SSRP_PORT = 1434
DIGIFORT_PORTS = (8600, 8610, 8611)
MAGIC = b"\xd1\x51\xf0\x27"
MAX_SEGMENT = 1 << 16

SHOWN_PARAMETERS = (b"Version",)
"""Parameters whose value may be shown."""


class SSRP(Packet):
    """One SSRP message: `type` says which of the fields it has.

    Requests: `SSRP(type="CLNT_BCAST_EX")`, `SSRP(type="CLNT_UCAST_INST", instance=b"DSSQL")`. Replies:
    `SSRP(type="SVR_RESP", data=b"ServerName;...;;")`, or with `dac_port=1434` the answer to CLNT_UCAST_DAC.
    `size` is computed: bytes of `data`, or 6, the whole message, with `dac_port`.
    """

    name = "SSRP"
    fields_desc = [  # noqa: RUF012  (scapy's way)
        ByteEnumField(
            "type",
            3,
            {2: "CLNT_BCAST_EX", 3: "CLNT_UCAST_EX", 4: "CLNT_UCAST_INST", 5: "SVR_RESP", 15: "CLNT_UCAST_DAC"},
        ),
        ConditionalField(ByteField("version", 1), lambda p: p.type == 15),
        ConditionalField(StrNullField("instance", b""), lambda p: p.type in (4, 15)),
        ConditionalField(LEShortField("size", None), lambda p: p.type == 5),
        ConditionalField(ByteField("dac_version", 1), lambda p: p.type == 5 and p.is_dac()),
        ConditionalField(LEShortField("dac_port", None), lambda p: p.type == 5 and p.is_dac()),
        ConditionalField(StrField("data", b""), lambda p: p.type == 5 and not p.is_dac()),
    ]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kwargs: Any) -> Any:
        """Raw for what is no message, or cut before its fixed fields end."""
        if not _pkt:
            return cls
        shortest = {2: 1, 3: 1, 4: 1, 5: 3, 15: 2}.get(_pkt[0])
        return cls if shortest is not None and len(_pkt) >= shortest else conf.raw_layer

    def is_dac(self) -> bool:
        """Whether a reply is the one to CLNT_UCAST_DAC: it has a port, or came as 6 bytes that say so."""
        if self.fields.get("dac_port") is not None:
            return True
        return len(self.original) == 6 and self.original[:4] == b"\x05\x06\x00\x01"

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in `size`."""
        if self.type == 5 and self.size is None:
            size = 6 if self.is_dac() else len(pkt) - 3
            pkt = pkt[:1] + struct.pack("<H", size & 0xFFFF) + pkt[3:]
        return pkt + pay

    def instances(self) -> list[tuple[str, str, str, int | None]]:
        """Of a reply: server, instance, version and TCP port (None: none usable) of every SQL Server named."""
        reply = parse_reply(bytes(self))
        found = reply.instances if reply else ()
        return [(item.server, item.instance, item.version, item.tcp_port) for item in found]

    def mysummary(self) -> str:
        """`SSRP SVR_RESP DSSQL tcp 50492`."""
        text = str(self.sprintf("SSRP %SSRP.type%"))
        request = parse_request(bytes(self))
        if request is not None and request.instance:
            return f"{text} {_printable(request.instance)}"
        if self.type == 5 and self.is_dac():
            return f"{text} DAC tcp {self.dac_port}"
        for _, instance, _, port in self.instances() if self.type == 5 else ():
            text += f" {_printable(instance)} {f'tcp {port}' if port else 'no tcp port'}"
        return text


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text[:64])


def parameters(raw: bytes) -> dict[bytes, bytes] | None:
    """Names and texts in the parameters of a Digifort frame; None when they are not laid out as we know."""
    if len(raw) < 5 or raw[0] != 1:
        return None
    found: dict[bytes, bytes] = {}
    at = 5
    for _ in range(min(struct.unpack_from("<I", raw, 1)[0], 256)):
        if at >= len(raw):
            return None
        key_end = at + 1 + raw[at]
        if key_end + 5 > len(raw) or raw[key_end] != 8:  # 8: text, the only type ever seen
            return None
        value_end = key_end + 5 + struct.unpack_from("<I", raw, key_end + 1)[0]
        if value_end > len(raw):
            return None
        found[raw[at + 1 : key_end]] = raw[key_end + 5 : value_end]
        at = value_end
    return found if at == len(raw) else None


def build_parameters(values: Mapping[str | bytes, str | bytes]) -> bytes:
    """The bytes of parameters with texts as values; none at all for an empty mapping."""
    if not values:
        return b""
    raw = b"\x01" + struct.pack("<I", len(values))
    for key, value in values.items():
        name = key.encode("ascii") if isinstance(key, str) else key
        text = value.encode("ascii") if isinstance(value, str) else value
        raw += struct.pack("B", len(name)) + name + b"\x08" + struct.pack("<I", len(text)) + text
    return raw


class _Hidden(StrLenField):
    """Bytes of which only the number is shown."""

    def i2repr(self, pkt: Any, x: Any) -> str:
        return f"({len(x)} bytes, not shown)" if x else ""


class _Parameters(_Hidden):
    """Parameters, as bytes; a mapping of names to texts is built. Shows names, and values only of harmless ones."""

    def any2i(self, pkt: Any, x: Any) -> bytes:
        return build_parameters(x) if isinstance(x, Mapping) else super().any2i(pkt, x)

    def i2repr(self, pkt: Any, x: Any) -> str:
        values = parameters(bytes(x))
        if values is None:
            return super().i2repr(pkt, x)
        shown = []
        for key, value in values.items():
            text = repr(value.decode("latin-1")) if key in SHOWN_PARAMETERS else f"({len(value)} bytes, not shown)"
            shown.append(f"{_printable(key.decode('latin-1'))}={text}")
        return ", ".join(shown)


class DigifortData(Packet):
    """Bytes on a Digifort port that are no whole frame header: the rest of an earlier frame, or something else."""

    name = "Digifort data"
    fields_desc = [_Hidden("data", b"", length_from=lambda p: MAX_SEGMENT)]  # noqa: RUF012


class DigifortFrame(Packet):
    """One frame: magic, lengths, a name such as LOGIN or CMD_LPR_PING, parameters.

    Build: `DigifortFrame(frame_name="LOGIN", parameters={"NONCE": "0" * 32})`. The lengths are computed; `body_len`
    counts everything after itself. `texts()` gives the parameters' values, which nothing else shows.
    """

    name = "Digifort"
    fields_desc = [  # noqa: RUF012
        StrFixedLenField("magic", MAGIC, 4),
        IntField("body_len", None),
        ByteField("constant", 1),
        FieldLenField("name_len", None, length_of="frame_name", fmt="B"),
        StrLenField("frame_name", b"", length_from=lambda p: p.name_len),
        FieldLenField("params_len", None, length_of="parameters", fmt="!I"),
        _Parameters("parameters", b"", length_from=lambda p: p.params_len),
        _Hidden("rest", b"", length_from=lambda p: max(0, p.body_len - 6 - p.name_len - p.params_len)),
    ]

    @classmethod
    def dispatch_hook(cls, _pkt: bytes | None = None, *args: Any, **kwargs: Any) -> Any:
        """DigifortData for what is no whole header."""
        if _pkt is None:
            return cls
        whole = len(_pkt) >= 14 and _pkt[:4] == MAGIC and len(_pkt) >= 14 + _pkt[9]
        return cls if whole else DigifortData

    def texts(self) -> dict[bytes, bytes]:
        """Parameters by name; empty when there are none, or not as we know them."""
        return parameters(bytes(self.parameters)) or {}

    def guess_payload_class(self, payload: bytes) -> Any:
        """The next frame of the segment."""
        return DigifortFrame

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill in `body_len`."""
        if self.body_len is None:
            pkt = pkt[:4] + struct.pack("!I", len(pkt) - 8) + pkt[8:]
        return pkt + pay

    def mysummary(self) -> str:
        """`Digifort LOGIN`."""
        return f"Digifort {_printable(bytes(self.frame_name).decode('latin-1'))}"


bind_layers(UDP, SSRP, sport=SSRP_PORT)
bind_layers(UDP, SSRP, dport=SSRP_PORT)
bind_layers(UDP, SSRP, sport=SSRP_PORT, dport=SSRP_PORT)
for _port in DIGIFORT_PORTS:
    bind_layers(TCP, DigifortFrame, sport=_port)
    bind_layers(TCP, DigifortFrame, dport=_port)
