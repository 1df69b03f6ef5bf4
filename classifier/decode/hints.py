"""What the first bytes of a payload look like: the codes that the sniffer leaves in a packet.

A hint is a guess from a few bytes, made for every packet: it decides which payloads are worth a parser, and for what
has no parser it is counted per flow. `PACKET.hint` holds the code, FLOW a bit per code and direction
(`1 << (code - 1)`, 16 bits). Next: `sniff` sets them, `flows.kernel` keeps them, `evidence` judges.
"""

from __future__ import annotations

HINTS = (
    "",
    "digifort",  # a frame of Digifort 6.5
    "http_request",
    "http_reply",
    "rtsp_request",
    "rtsp_reply",
    "tls",  # a TLS or DTLS record
    "tds_request",  # a TDS prelogin of a client
    "tds_reply",  # its answer
    "httpu",  # SSDP: a search, a notification or an answer, by UDP
    "soap",  # an XML document by UDP: WS-Discovery
    "rtp",  # a packet that may be RTP; only a sequence of them is
    "rtcp",
    "mpegts",  # MPEG transport stream packets
    "stun",
    "quic",  # a long header
    "foreign",  # the banner of a protocol that none of the products speaks on its ports
)
(
    NO_HINT,
    DIGIFORT,
    HTTP_REQUEST,
    HTTP_REPLY,
    RTSP_REQUEST,
    RTSP_REPLY,
    TLS,
    TDS_REQUEST,
    TDS_REPLY,
    HTTPU,
    SOAP,
    RTP,
    RTCP,
    MPEGTS,
    STUN,
    QUIC,
    FOREIGN,
) = range(len(HINTS))

WANTED = 0x80
"""Added to a code: this very payload should be read, however many of its kind were (a Digifort path, a refusal with a
realm, a ClientHello, a SETUP)."""

assert len(HINTS) <= 17, "a flow keeps 16 bits per direction"


def hint_bit(code: int) -> int:
    """The bit of a hint in a flow's `a_hints` and `b_hints`."""
    return 1 << (code - 1)
