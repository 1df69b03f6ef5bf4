"""Payloads written byte by byte from the field layouts of their documents: no library made them.

`VECTORS`: what a payload is -> payloads of it, for the tests that run every parser over all of them.
"""

from __future__ import annotations

import struct


def hexed(text: str) -> bytes:
    """Hexadecimal digits with any spacing, `#` to the end of a line being a comment."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


# [MC-SQLR] 2.2
SSRP_HEAD = b"ServerName;W;InstanceName;A;IsClustered;No;Version;8.00.194;"
SSRP_TEXT = (
    rb"ServerName;WIN3;InstanceName;MSSQLSERVER;IsClustered;No;Version;9.00.5000.00;tcp;1433;np;\\WIN3\pipe\sql\query;;"
)


def ssrp(text: bytes, size: int | None = None) -> bytes:
    return b"\x05" + struct.pack("<H", len(text) if size is None else size) + text


# [MS-TDS] 4.1: a client's PRELOGIN; and the answer whose layout DOMAIN 2.4 gives
PRELOGIN_CLIENT = hexed(
    """
    12 01 00 2F 00 00 01 00
    00 00 1A 00 06   01 00 20 00 01   02 00 21 00 01   03 00 22 00 04   04 00 26 00 01   FF
    09 00 00 00 00 00   01   00   B8 0D 00 00   01
    """
)
PRELOGIN_SERVER = hexed(
    """
    04 01 00 25 00 00 01 00
    00 00 15 00 06   01 00 1B 00 01   02 00 1C 00 01   03 00 1D 00 00   FF
    0F 00 07 D0 00 00   02   00
    """
)
PRELOGIN_NAMED = (
    hexed(
        """
    12 01 00 27 00 00 00 00
    00 00 10 00 06   01 00 16 00 01   02 00 17 00 08   FF
    08 00 01 55 00 00   02
    """
    )
    + b"DSSQL\0\0\0"
)


def rtp(seq: int, timestamp: int = 0, kind: int = 96, ssrc: int = 0x11223344, body: bytes = b"\x65\x88" * 20) -> bytes:
    return struct.pack(">BBHII", 0x80, kind, seq & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc) + body


# RFC 3550 5.1 with everything: two CSRCs, extension of one word, padding of four, marker
RTP_FULL = hexed(
    """
    B2 E0 00 01  00 00 00 10  DE AD BE EF
    00 00 00 01  00 00 00 02
    BE DE 00 01  10 20 30 40
    7C 85 11 22
    00 00 00 04
    """
)

# RFC 3550 6.4.1 with one report block, then SDES with one CNAME, then BYE
RTCP_SR = hexed(
    """
    81 C8 00 0C  11 22 33 44
    E1 00 00 00  80 00 00 00  00 01 5F 90  00 00 00 64  00 01 86 A0   # NTP, RTP time, packets, octets
    55 66 77 88  40  FF FF FE  00 01 00 05  00 00 00 2A  00 00 12 34  00 00 80 00
    """
)
RTCP_SDES = hexed("81 CA 00 04  11 22 33 44  01 07") + b"cam@lan" + bytes(3)
RTCP_BYE = hexed("81 CB 00 01  11 22 33 44")
RTCP_RR_EMPTY = hexed("80 C9 00 01  11 22 33 44")


def ts_packet(pid: int, continuity: int, control: int = 1) -> bytes:
    head = bytes((0x47, 0x40 | pid >> 8, pid & 0xFF, control << 4 | continuity))
    return head + (b"\xb7" if control == 2 else b"\x00") + b"\xaa" * 183


TS = b"".join(ts_packet(0x100 if i else 0, i) for i in range(7))


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack(">HH", kind, len(data)) + data


def sni(name: bytes) -> bytes:
    return extension(0, struct.pack(">HBH", len(name) + 3, 0, len(name)) + name)


ALPN = extension(16, b"\x00\x0c\x02h2\x08http/1.1")
VERSIONS_13 = extension(43, b"\x06\x2a\x2a\x03\x04\x03\x03")  # the first one is GREASE


def client_hello(extensions: bytes | None, legacy: int = 0x0303, cookie: bytes | None = None) -> bytes:
    """The handshake message without its header (RFC 8446 4.1.2; the cookie: RFC 6347 4.2.1)."""
    body = struct.pack(">H", legacy) + bytes(range(32)) + b"\x04sess"
    if cookie is not None:
        body += bytes((len(cookie),)) + cookie
    body += b"\x00\x04\x13\x01\xc0\x2f" + b"\x01\x00"
    return body if extensions is None else body + struct.pack(">H", len(extensions)) + extensions


def server_hello(extensions: bytes | None, legacy: int = 0x0303) -> bytes:
    body = struct.pack(">H", legacy) + bytes(32) + b"\x00" + b"\x13\x01" + b"\x00"
    return body if extensions is None else body + struct.pack(">H", len(extensions)) + extensions


def handshake(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


def record(data: bytes, kind: int = 22, version: int = 0x0301) -> bytes:
    return struct.pack(">BHH", kind, version, len(data)) + data


def dtls(kind: int, body: bytes, version: int = 0xFEFD, first: int | None = None) -> bytes:
    """A record with one message; with `first`, only the first bytes of it, as a fragment (RFC 6347 4.2.2)."""
    part = body if first is None else body[:first]
    message = bytes((kind,)) + len(body).to_bytes(3, "big") + bytes(5) + len(part).to_bytes(3, "big") + part
    return struct.pack(">BHHIHH", 22, version, 0, 0, 0, len(message)) + message


TLS_CLIENT = record(handshake(1, client_hello(sni(b"vms.example.org") + ALPN + VERSIONS_13)))
TLS_SERVER = record(handshake(2, server_hello(extension(43, b"\x03\x04"))), version=0x0303)
DTLS_CLIENT = dtls(1, client_hello(sni(b"cam.example.org"), 0xFEFD, b"cookie"))
DTLS_VERIFY = dtls(3, b"\xfe\xff\x04\x01\x02\x03\x04", 0xFEFF)

# RFC 9001 A.2 to A.4 and RFC 9369 A.2, A.4: the heads of their sample packets, filled up to their lengths
QUIC_CLIENT = hexed("c000000001 08 8394c8f03e515708 00 00 449e 7b9aec34").ljust(1200, b"\x5a")
QUIC_SERVER = hexed("cf00000001 00 08 f067a5502a4262b5 00 4075 c0d95a48").ljust(135, b"\x5a")
QUIC_RETRY = hexed("ff00000001 00 08 f067a5502a4262b5 746f6b656e 04a265ba2eff4d829058fb3f0f2496ba")
QUIC2_CLIENT = hexed("d76b3343cf 08 8394c8f03e515708 00 00 449e a0c95e82").ljust(1200, b"\x5a")
QUIC2_RETRY = hexed("cf6b3343cf 00 08 f067a5502a4262b5 746f6b656e c8646ce8bfe33952d955543665dcc7b6")
QUIC_NEGOTIATION = hexed("8a 00000000 02 0102 03 030405 00000001 6b3343cf 1a2a3a4a")

# RFC 5769 2.1, its HMAC left out of account
STUN_REQUEST = (
    hexed("0001 0058 2112a442 b7e7a701bc34d686fa87dfae")
    + hexed("8022 0010")
    + b"STUN test client"
    + hexed("0024 0004 6e0001ff  8029 0008 932ff9b151263b36  0006 0009")
    + b"evtj:h6vY   "
    + hexed("0008 0014 9aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2  8028 0004 e57a3bcf")
)
STUN_INDICATION = hexed("0011 0000 2112a442 000102030405060708090a0b")


def dns_name(name: bytes) -> bytes:
    return b"".join(bytes((len(label),)) + label for label in name.split(b".")) + b"\0"


DNS_QUERY = hexed("abcd 0100 0001 0000 0000 0000") + dns_name(b"cam1.example.org") + hexed("0001 0001")
DNS_REPLY = (
    hexed("abcd 8180 0001 0001 0000 0000") + dns_name(b"cam1.example.org") + hexed("0001 0001")
    + hexed("c00c 0001 0001 0000003c 0004 0a000005")
)  # fmt: skip
MDNS_REPLY = (
    hexed("0000 8400 0000 0001 0000 0000") + dns_name(b"_axis-video._tcp.local") + hexed("000c 0001 00001194 0002 c00c")
)  # fmt: skip

SSDP_SEARCH = (
    b'M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 3\r\n'
    b"ST: urn:schemas-upnp-org:device:Basic:1\r\n\r\n"
)
SSDP_REPLY = (
    b"HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=1800\r\nEXT:\r\nLOCATION: http://10.0.0.31:49152/rootdesc.xml?x=1\r\n"
    b"SERVER: Linux/2.6 UPnP/1.0 Cam/1.2\r\nST: upnp:rootdevice\r\nUSN: uuid:2fac-1::upnp:rootdevice\r\n\r\n"
)
SSDP_NOTIFY = (
    b"NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"
    b"LOCATION: http://admin:secret@10.0.0.31/d.xml\r\nUSN: uuid:2fac-1::upnp:rootdevice\r\n\r\n"
)

_SOAP = b'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"'
_WSD = b"http://schemas.xmlsoap.org/ws/2005/04/discovery"


def wsd(kind: bytes, body: bytes, prolog: bytes = b'<?xml version="1.0" encoding="utf-8"?>\n') -> bytes:
    return (
        prolog + b"<s:Envelope " + _SOAP + b' xmlns:d="' + _WSD + b'"><s:Header><a:Action s:mustUnderstand="1">' + _WSD
        + b"/" + kind + b"</a:Action></s:Header><s:Body><d:" + kind + b">" + body + b"</d:" + kind
        + b"></s:Body></s:Envelope>"
    )  # fmt: skip


WSD_PROBE = wsd(
    b"Probe", b'<d:Types xmlns:dn="http://www.onvif.org/ver10/network/wsdl">dn:NetworkVideoTransmitter</d:Types>'
)
WSD_MATCHES = wsd(
    b"ProbeMatches",
    b"<d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter tds:Device</d:Types>"
    b"<d:Scopes>onvif://www.onvif.org/type/video_encoder onvif://www.onvif.org/hardware/DS-2CD "
    b"onvif://www.onvif.org/name/Gate%20North</d:Scopes>"
    b"<d:XAddrs>http://10.0.0.31/onvif/device_service http://[fe80::1]:8080/onvif/device_service</d:XAddrs></d:ProbeMatch>",
    b"",
)

VECTORS: dict[str, tuple[bytes, ...]] = {
    "ssrp reply": (ssrp(SSRP_TEXT), hexed("05 06 00 01 9A 05")),
    "prelogin": (PRELOGIN_CLIENT, PRELOGIN_SERVER, PRELOGIN_NAMED),
    "rtp": (rtp(7), RTP_FULL, rtp(1, kind=0, body=bytes(160))),
    "rtp and ts": (rtp(3, kind=33, body=TS),),
    "rtcp": (RTCP_SR, RTCP_SR + RTCP_SDES + RTCP_BYE, RTCP_RR_EMPTY),
    "ts": (TS,),
    "tls client": (TLS_CLIENT,),
    "tls server": (TLS_SERVER,),
    "tls": (record(b"\x01\x00", 21), record(bytes(40), 23, 0x0303)),
    "dtls": (DTLS_CLIENT, DTLS_VERIFY),
    "quic": (QUIC_CLIENT, QUIC_SERVER, QUIC_RETRY, QUIC2_CLIENT, QUIC2_RETRY, QUIC_NEGOTIATION),
    "stun": (STUN_REQUEST, STUN_INDICATION),
    "dns": (DNS_QUERY, DNS_REPLY, MDNS_REPLY),
    "ssdp": (SSDP_SEARCH, SSDP_REPLY, SSDP_NOTIFY),
    "wsd": (WSD_PROBE, WSD_MATCHES),
    "other": (
        b"",
        bytes(64),
        b"\xff" * 64,
        b"GET / HTTP/1.1\r\nHost: cam\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        hexed("d151f027 00000012 01 0c 434d445f4c50525f50494e47 00000000"),  # a Digifort ping
        hexed("03 00 00 13 0e e0 00 00 00 00 00 01 00 08 00 03 00 00 00"),  # RDP: TPKT with a connection request
        hexed("30 26 02 01 01 04 06 70 75 62 6c 69 63 a0 19 02 01 01 02 01 00 02 01 00 30 0e 30 0c 06 08"),  # SNMP
        hexed("24 02 06 e8 00 00 00 00 00 00 00 00") + bytes(36),  # NTP
        hexed("01 01 06 00 12 34 56 78") + bytes(232),  # DHCP
        hexed("08 00 00 00 00 00 2a 00") + bytes(40),  # VXLAN
    ),
}
