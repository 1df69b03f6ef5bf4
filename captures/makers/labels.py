"""What the flows of the sample sites are: component, grade without and with payload evidence, and why.

`grade` is the most that ports, roles and a corroborated host allow; `content_grade` what the payloads add.
"""

from __future__ import annotations

from .site import Label

# Digifort
SERVER = Label("digifort.server", "probable", "confirmed", ("port", "content:greeting"))
HTTP_API = Label("digifort.http_api", "probable", "confirmed", ("port", "content:path"))
WEB = Label("digifort.web", "probable", "confirmed", ("port", "host", "content:realm"))
MEDIA_INPUT = Label("digifort.media_input", "probable", "confirmed", ("port", "host", "learned:rtsp"))
MEDIA_INPUT_UNASKED = Label("digifort.media_input", "probable", "probable", ("port", "host", "content:rtp"))
ANNOUNCEMENT = Label("digifort.announcement", "probable", "probable", ("group", "port"))
MULTICAST_MEDIA = Label("digifort.multicast_media", "probable", "probable", ("group",))
UPNP = Label("digifort.upnp_discovery", "probable", "confirmed", ("port", "host", "content:ssdp"))
ANALYTICS = Label("digifort.analytics", "probable", "confirmed", ("port", "content:greeting"))
LPR = Label("digifort.lpr", "probable", "confirmed", ("port", "content:greeting"))

# Digital Sentry
SQL = Label("digital_sentry.sql", "confirmed", "confirmed", ("learned:ssrp", "content:tds"))
SQL_DISCOVERY = Label("digital_sentry.sql_discovery", "probable", "confirmed", ("port", "host", "content:ssrp"))
DIAGNOSTICS = Label("digital_sentry.diagnostics", "probable", "probable", ("port",))
VIDEO = Label("digital_sentry.video", "probable", "probable", ("port",))
MOBILE = Label("digital_sentry.mobile", "probable", "probable", ("port", "host"))
AUDIO = Label("digital_sentry.audio", "probable", "probable", ("port", "host"))

# everything else
DNS = Label("other.dns")
NTP = Label("other.ntp")
HTTP = Label("other.http")
HTTPS = Label("other.https")
QUIC = Label("other.quic")
RTSP = Label("other.rtsp")
SSDP = Label("other.ssdp")
WS_DISCOVERY = Label("other.ws_discovery")
MDNS = Label("other.mdns")
LLMNR = Label("other.llmnr")
SSH = Label("other.ssh")
STUN = Label("other.stun")
IPSEC = Label("other.ipsec")
RDP = Label("other.rdp")
BFD = Label("other.bfd")
MSSQL = Label("other.mssql")
SSRP = Label("other.ssrp")
MODBUS = Label("other.modbus")
UNKNOWN_TCP = Label("unclassified.tcp")
UNKNOWN_UDP = Label("unclassified.udp")
