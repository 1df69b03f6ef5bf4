"""Marks: what payloads can prove, each with a stable code.

In: nothing. Out: `MARKS`, one bit each in `FlowTable.evidence`. `proofs` sets the bits; signatures name the codes
(`content`, `contradicted_by`); the report shows them as `content:CODE`. Next: `proofs`, `classifier.matching`.
"""

from __future__ import annotations

from dataclasses import dataclass

PROVES = "proves"  # the component, on any port
CONFIRMS = "confirms"  # the component, where port and role (or another host) point to it already
FITS = "fits"  # what is expected there; others send it too


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a payload shows. `said_by`: the side that has to say it ("orig", "resp", "" for either)."""

    code: str
    strength: str
    said_by: str
    sentence: str


MARKS = (
    Mark(
        "digifort_frame", CONFIRMS, "resp", "The responder sent frames that begin with D1 51 F0 27, Digifort's magic."
    ),
    Mark("digifort_login", PROVES, "resp", "The responder greeted with the frame LOGIN of a Digifort server."),
    Mark("digifort_analytics", PROVES, "resp", "The responder sent a frame CMD_ANALYTICS_..., of Digifort Analytics."),
    Mark("digifort_lpr", PROVES, "resp", "The responder sent a frame CMD_LPR_..., of Digifort LPR."),
    Mark(
        "digifort_interface_path",
        PROVES,
        "orig",
        "The originator asked for a path under /Interface/, the Digifort API's.",
    ),
    Mark("digifort_http_realm", PROVES, "resp", "The responder asked for a login to the realm Servidor HTTP Digifort."),
    Mark(
        "digifort_rtsp_realm",
        PROVES,
        "resp",
        "The responder named itself Digifort RTSP Server or its session Digifort Media.",
    ),
    Mark("digifort_rtsp_url", PROVES, "orig", "The originator asked for an RTSP URL under /Interface/Cameras/Media."),
    Mark("ssrp_request", CONFIRMS, "orig", "The originator asked a SQL Server Browser (SSRP)."),
    Mark("ssrp_reply", CONFIRMS, "resp", "The responder answered as a SQL Server Browser (SSRP)."),
    Mark("tds_prelogin", CONFIRMS, "orig", "The originator opened a SQL Server session (TDS prelogin)."),
    Mark("tds_reply", CONFIRMS, "resp", "The responder answered a TDS prelogin."),
    Mark("ssdp", CONFIRMS, "", "The payload is SSDP (UPnP discovery)."),
    Mark("rtp", FITS, "", "The payload is RTP: packets of one source continue each other."),
    Mark("rtcp", FITS, "", "The payload is RTCP."),
    Mark("mpegts", FITS, "", "The payload is an MPEG transport stream."),
    Mark("rtsp", FITS, "", "The payload is RTSP."),
    Mark("http", FITS, "", "The payload is HTTP."),
    Mark("http_elsewhere", FITS, "", "The responder served other paths than the Digifort API's."),
    Mark("http_other_server", FITS, "resp", "The responder named another web server or device as its software."),
    Mark("mjpeg", FITS, "resp", "The responder sent a stream of JPEG pictures (multipart/x-mixed-replace)."),
    Mark("onvif", FITS, "", "The payload is ONVIF, the interface of IP cameras."),
    Mark("tls", FITS, "", "The payload is TLS."),
    Mark("ws_discovery", FITS, "", "The payload is WS-Discovery."),
    Mark("stun", FITS, "", "The payload is STUN."),
    Mark("quic", FITS, "", "The payload is QUIC."),
    Mark("foreign", FITS, "", "The payload begins like another protocol's (SSH, SMB, mail, VNC, Canon)."),
    Mark("not_ssrp", FITS, "", "The payload is not SSRP."),
    Mark("credentials", FITS, "orig", "The originator sent a user's name and password in clear."),
)

CODES = {mark.code: number for number, mark in enumerate(MARKS)}
assert len(MARKS) < 63


def mark_bit(code: str) -> int:
    """The bit of a mark in `FlowTable.evidence`; raises KeyError for an unknown code."""
    return 1 << CODES[code]


def marks_of(bits: int) -> list[Mark]:
    """The marks in a flow's evidence, strongest kind first."""
    return [mark for number, mark in enumerate(MARKS) if bits >> number & 1]
