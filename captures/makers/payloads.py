"""Application bytes: small, well-formed messages of the protocols on the sample sites.

Layouts: DNS RFC 1035, NTP RFC 5905, STUN RFC 8489, TLS RFC 5246, SSRP [MC-SQLR], TDS [MS-TDS], SSDP (UPnP device
architecture), WS-Discovery, Digifort frames as published in nmap's service probes (bytes rebuilt here).
Nothing secret is in them: every credential reads REDACT-ME.
"""

from __future__ import annotations

import random
import struct

FAKE = "REDACT-ME"


def digifort_frame(name: str, params: bytes) -> bytes:
    """Magic, length of the rest, name, parameters."""
    body = b"\x01" + bytes([len(name)]) + name.encode() + struct.pack("!I", len(params)) + params
    return bytes.fromhex("d151f027") + struct.pack("!I", len(body)) + body


def digifort_params(key: str, value: str) -> bytes:
    """One text parameter."""
    return (
        b"\x01\x01\0\0\0" + bytes([len(key)]) + key.encode() + b"\x08" + struct.pack("<I", len(value)) + value.encode()
    )


def digifort_login(rng: random.Random) -> bytes:
    """What a Digifort server says first on 8600 (67 bytes)."""
    return digifort_frame("LOGIN", digifort_params("NONCE", rng.randbytes(16).hex().upper()))


def digifort_analytics_version() -> bytes:
    """What an Analytics server says first on 8610."""
    return digifort_frame("CMD_ANALYTICS_VERSION", digifort_params("Version", "DIGIFORT 6.5.0.0    "))


def digifort_ping(name: str) -> bytes:
    """A frame without parameters: `CMD_ANALYTICS_PING`, `CMD_LPR_PING`."""
    return digifort_frame(name, b"")


def digifort_refusal() -> bytes:
    """What the Digifort web server answers to a browser without credentials."""
    return (
        b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="Servidor HTTP Digifort"\r\n'
        b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    )


def jpeg(rng: random.Random, size: int, *, width: int = 320, height: int = 240) -> bytes:
    """A JPEG file by its markers; the scan is noise without marker bytes."""
    head = bytes.fromhex("ffd8ffe000104a46494600010100000100010000")
    table = bytes.fromhex("ffdb004300") + bytes([16] * 64)
    frame = b"\xff\xc0" + struct.pack("!HBHHB", 11, 8, height, width, 1) + b"\x01\x11\x00"
    huffman = bytes.fromhex("ffc4001500") + bytes([0, 1] + [0] * 14) + b"\x00\x00"
    scan = bytes.fromhex("ffda0008010100003f00")
    noise = bytes(byte & 0x7F for byte in rng.randbytes(max(0, size - 160)))
    return head + table + frame + huffman[:23] + scan + noise + b"\xff\xd9"


def http_request(method: str, path: str, host: str, *headers: str, agent: str = "Mozilla/5.0") -> bytes:
    """An HTTP/1.1 request without body."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"User-Agent: {agent}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def http_reply(status: str, body: bytes, kind: str, *headers: str) -> bytes:
    """An HTTP/1.1 reply with its body."""
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def rtsp_request(method: str, url: str, number: int, *headers: str) -> bytes:
    """An RTSP/1.0 request."""
    lines = [f"{method} {url} RTSP/1.0", f"CSeq: {number}", *headers, "User-Agent: Recorder", "", ""]
    return "\r\n".join(lines).encode()


def rtsp_reply(number: int, *headers: str, body: bytes = b"", status: str = "200 OK") -> bytes:
    """An RTSP/1.0 reply."""
    lines = [f"RTSP/1.0 {status}", f"CSeq: {number}", *headers]
    if body:
        lines += ["Content-Type: application/sdp", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


def sdp(address: str, payload_type: int, codec: str, *, name: str = "Media") -> bytes:
    """A session description with one video track."""
    lines = [
        "v=0",
        f"o=- 0 0 IN IP4 {address}",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        f"m=video 0 RTP/AVP {payload_type}",
        f"a=rtpmap:{payload_type} {codec}/90000",
        "a=control:trackID=1",
        "",
    ]
    return "\r\n".join(lines).encode()


def dns_name(name: str) -> bytes:
    """A name as length-prefixed labels."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def dns_query(number: int, name: str, *, kind: int = 1, recursion: bool = True) -> bytes:
    """A question; `number` 0 without recursion is what mDNS asks."""
    flags = 0x0100 if recursion else 0
    return struct.pack("!HHHHHH", number, flags, 1, 0, 0, 0) + dns_name(name) + struct.pack("!HH", kind, 1)


def dns_answer(number: int, name: str, data: bytes, *, kind: int = 1) -> bytes:
    """A reply with one record."""
    head = struct.pack("!HHHHHH", number, 0x8180, 1, 1, 0, 0)
    question = dns_name(name) + struct.pack("!HH", kind, 1)
    return head + question + struct.pack("!HHHIH", 0xC00C, kind, 1, 300, len(data)) + data


def ntp(mode: int, seconds: int, *, stratum: int = 0) -> bytes:
    """An NTP version 4 message; mode 3 client, 4 server."""
    stamp = struct.pack("!II", seconds + 2_208_988_800, 0)
    head = struct.pack("!BBbbII4s", 4 << 3 | mode, stratum, 6, -20, 0, 0x100, b"GPS\0" if stratum == 1 else bytes(4))
    if mode == 3:
        return head + bytes(24) + stamp
    return head + stamp * 4


def ssrp_request(instance: str) -> bytes:
    """CLNT_UCAST_INST: which port has this instance?"""
    return b"\x04" + instance.encode("ascii") + b"\0"


def ssrp_reply(server: str, instance: str, version: str, port: int) -> bytes:
    """SVR_RESP with one record."""
    text = f"ServerName;{server};InstanceName;{instance};IsClustered;No;Version;{version};tcp;{port};;".encode("ascii")
    return b"\x05" + struct.pack("<H", len(text)) + text


def tds(kind: int, body: bytes, *, number: int = 1) -> bytes:
    """A whole TDS message in one packet."""
    return struct.pack("!BBHHBB", kind, 1, 8 + len(body), 0, number, 0) + body


def tds_prelogin(version: bytes, *, reply: bool = False) -> bytes:
    """PRELOGIN of the client (type 12h), or the server's answer (type 04h)."""
    values = [(0, version), (1, b"\x02"), (2, b"\0"), (3, b"" if reply else b"\0\0\x04\xd2"), (4, b"\0")]
    at = 5 * len(values) + 1
    options = b""
    for token, value in values:
        options += struct.pack("!BHH", token, at, len(value))
        at += len(value)
    return tds(0x04 if reply else 0x12, options + b"\xff" + b"".join(value for _token, value in values))


def tds_batch(text: str) -> bytes:
    """A SQL batch (type 01h) with the transaction descriptor header of TDS 7.2."""
    headers = struct.pack("<IIHQI", 22, 18, 2, 0, 1)
    return tds(0x01, headers + text.encode("utf-16-le"))


def tds_done(rows: int) -> bytes:
    """A tabular reply (type 04h) that only says how many rows there were."""
    return tds(0x04, struct.pack("<BHHQ", 0xFD, 0x10, 0xC1, rows))


def tls_record(kind: int, body: bytes, *, version: int = 0x0303) -> bytes:
    """One TLS record; 22 handshake, 20 change cipher spec, 23 application data."""
    return struct.pack("!BHH", kind, version, len(body)) + body


def tls_client_hello(rng: random.Random, name: str, alpn: str = "http/1.1") -> bytes:
    """A ClientHello with server name and ALPN."""
    host = name.encode()
    server_name = struct.pack("!HBH", len(host) + 3, 0, len(host)) + host
    protocol = bytes([len(alpn)]) + alpn.encode()
    extensions = b"".join(
        struct.pack("!HH", number, len(value)) + value
        for number, value in (
            (0, server_name),
            (10, bytes.fromhex("0006001d00170018")),
            (11, b"\x01\x00"),
            (13, bytes.fromhex("0006040105010601")),
            (16, struct.pack("!H", len(protocol)) + protocol),
        )
    )
    ciphers = bytes.fromhex("c02fc030c02bc02c009c009d002f0035")
    body = b"\x03\x03" + rng.randbytes(32) + b"\0" + struct.pack("!H", len(ciphers)) + ciphers + b"\x01\0"
    body += struct.pack("!H", len(extensions)) + extensions
    return tls_record(22, b"\x01" + len(body).to_bytes(3, "big") + body, version=0x0301)


def tls_server_hello(rng: random.Random) -> bytes:
    """ServerHello of a resumed session, then change cipher spec and the encrypted Finished."""
    session = rng.randbytes(32)
    body = b"\x03\x03" + rng.randbytes(32) + bytes([32]) + session + bytes.fromhex("c02f00")
    hello = tls_record(22, b"\x02" + len(body).to_bytes(3, "big") + body)
    return hello + tls_finished(rng)


def tls_finished(rng: random.Random) -> bytes:
    """Change cipher spec and an encrypted Finished."""
    return tls_record(20, b"\x01") + tls_record(22, rng.randbytes(40))


def tls_data(rng: random.Random, size: int) -> bytes:
    """Application data of `size` bytes, in records of at most 4,096."""
    return b"".join(tls_record(23, rng.randbytes(min(4096, size - cut))) for cut in range(0, size, 4096))


def ssdp_search(target: str, wait: int = 3) -> bytes:
    """M-SEARCH."""
    lines = [
        "M-SEARCH * HTTP/1.1",
        "HOST: 239.255.255.250:1900",
        'MAN: "ssdp:discover"',
        f"MX: {wait}",
        f"ST: {target}",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def ssdp_reply(address: str, server: str, serial: str) -> bytes:
    """A device's unicast answer to a search."""
    lines = [
        "HTTP/1.1 200 OK",
        "CACHE-CONTROL: max-age=1800",
        "EXT:",
        f"LOCATION: http://{address}:49152/device.xml",
        f"SERVER: {server}",
        "ST: upnp:rootdevice",
        f"USN: uuid:{serial}::upnp:rootdevice",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def ssdp_notify(address: str, server: str, serial: str) -> bytes:
    """A device's multicast advertisement."""
    lines = [
        "NOTIFY * HTTP/1.1",
        "HOST: 239.255.255.250:1900",
        "CACHE-CONTROL: max-age=1800",
        f"LOCATION: http://{address}:49152/device.xml",
        "NT: upnp:rootdevice",
        "NTS: ssdp:alive",
        f"SERVER: {server}",
        f"USN: uuid:{serial}::upnp:rootdevice",
        "",
        "",
    ]
    return "\r\n".join(lines).encode()


def ws_discovery(action: str, message: str, inner: str, related: str = "") -> bytes:
    """A WS-Discovery envelope: Probe or ProbeMatches."""
    relates = f"<a:RelatesTo>urn:uuid:{related}</a:RelatesTo>" if related else ""
    text = (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" '
        'xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery" '
        'xmlns:dn="http://www.onvif.org/ver10/network/wsdl"><s:Header>'
        f"<a:Action>http://schemas.xmlsoap.org/ws/2005/04/discovery/{action}</a:Action>"
        f"<a:MessageID>urn:uuid:{message}</a:MessageID>{relates}</s:Header><s:Body>{inner}</s:Body></s:Envelope>"
    )
    return text.encode()


def onvif_probe(message: str) -> bytes:
    """Looks for ONVIF cameras."""
    return ws_discovery("Probe", message, "<d:Probe><d:Types>dn:NetworkVideoTransmitter</d:Types></d:Probe>")


def onvif_match(message: str, related: str, address: str) -> bytes:
    """A camera's answer to a probe."""
    inner = (
        "<d:ProbeMatches><d:ProbeMatch><d:Types>dn:NetworkVideoTransmitter</d:Types>"
        f"<d:XAddrs>http://{address}/onvif/device_service</d:XAddrs></d:ProbeMatch></d:ProbeMatches>"
    )
    return ws_discovery("ProbeMatches", message, inner, related)


def uuid_text(rng: random.Random) -> str:
    """A random UUID (version 4)."""
    number = rng.getrandbits(128)
    number = number & ~(0xF << 76) & ~(3 << 62) | 4 << 76 | 2 << 62
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


STUN_MAGIC = 0x2112A442


def stun_request(rng: random.Random) -> bytes:
    """A binding request without attributes."""
    return struct.pack("!HHI", 1, 0, STUN_MAGIC) + rng.randbytes(12)


def stun_reply(request: bytes, address: int, port: int) -> bytes:
    """The binding answer with XOR-MAPPED-ADDRESS."""
    value = struct.pack("!BBHI", 0, 1, port ^ STUN_MAGIC >> 16, address ^ STUN_MAGIC)
    return struct.pack("!HHI", 0x0101, 4 + len(value), STUN_MAGIC) + request[8:20] + struct.pack("!HH", 0x20, 8) + value


def bfd(own: int, other: int) -> bytes:
    """A BFD control packet in state Up (RFC 5880)."""
    return struct.pack("!BBBBIIIII", 1 << 5, 3 << 6, 3, 24, own, other, 300_000, 300_000, 0)


def rtp(payload_type: int, sequence: int, stamp: int, ssrc: int, data: bytes, *, mark: bool = False) -> bytes:
    """An RTP packet (RFC 3550, section 5.1)."""
    return struct.pack("!BBHII", 0x80, (128 if mark else 0) | payload_type, sequence, stamp, ssrc) + data


def h264_picture(rng: random.Random, size: int, *, key: bool, largest: int) -> list[bytes]:
    """RTP payloads of one picture of about `size` bytes (RFC 6184): SPS and PPS before a key picture's slice, the slice
    whole or in FU-A of `largest` bytes."""
    start = bytes.fromhex("6588840df2628000b6fc9c" if key else "419a381be0db903d09bcf4")  # how the slices begin
    unit = start + rng.randbytes(max(0, size - len(start)))
    sets = ("6742c016d900b03db011000003000100000300140f162e48", "68cb83cb20")  # baseline, 704x480
    out = [bytes.fromhex(text) for text in sets] if key else []
    if len(unit) <= largest:
        return [*out, unit]
    rest = unit[1:]
    pieces = [rest[at : at + largest] for at in range(0, len(rest), largest)]
    for place, piece in enumerate(pieces):
        bits = (0x80 if place == 0 else 0) | (0x40 if place == len(pieces) - 1 else 0)
        out.append(bytes((unit[0] & 0xE0 | 28, bits | unit[0] & 31)) + piece)
    return out


def ts_cell(rng: random.Random, pid: int, counter: int) -> bytes:
    """An MPEG transport stream packet with payload only (ISO 13818-1, 2.4.3.2)."""
    return struct.pack("!BHB", 0x47, pid, 0x10 | counter) + rng.randbytes(184)


def rtcp_source(ssrc: int, cname: str) -> bytes:
    """SDES with the sender's name, the second part of a compound RTCP packet."""
    item = b"\x01" + bytes([len(cname)]) + cname.encode()
    item += bytes(4 - len(item) % 4)
    return struct.pack("!BBHI", 0x81, 202, 1 + len(item) // 4, ssrc) + item


def rtcp_sender_report(ssrc: int, ntp_stamp: tuple[int, int], stamp: int, sent: int, octets: int, cname: str) -> bytes:
    """SR and SDES; `ntp_stamp` in seconds since 1900 and their fraction."""
    report = struct.pack("!BBHIIIIII", 0x80, 200, 6, ssrc, *ntp_stamp, stamp, sent, octets)
    return report + rtcp_source(ssrc, cname)


def rtcp_receiver_report(own: int, ssrc: int, lost: int, highest: int, jitter: int, cname: str) -> bytes:
    """RR with one block, and SDES."""
    report = struct.pack("!BBHIIIIIII", 0x81, 201, 7, own, ssrc, lost, highest, jitter, 0, 0)
    return report + rtcp_source(own, cname)


def sip(first_line: str, call: str, number: int, *headers: str, body: bytes = b"") -> bytes:
    """A SIP request or reply (RFC 3261)."""
    lines = [first_line, f"Call-ID: {call}", f"CSeq: {number} INVITE", *headers]
    if body:
        lines.append("Content-Type: application/sdp")
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def smb(rng: random.Random, size: int) -> bytes:
    """An encrypted SMB 3 message by its transform header, with its NetBIOS length [MS-SMB2]."""
    header = b"\xfdSMB" + rng.randbytes(32) + struct.pack("<IHHQ", size, 0, 1, 0x40)
    return struct.pack("!I", len(header) + size) + header + rng.randbytes(size)


def dhcp(kind: int, number: int, mac: bytes, yours: bytes = bytes(4)) -> bytes:
    """A DHCP message (RFC 2131): 1 discover, 2 offer, 3 request, 5 acknowledgement."""
    head = struct.pack("!BBBBIHH4s4s4s4s16s", 2 if kind in (2, 5) else 1, 1, 6, 0, number, 0, 0,
                       bytes(4), yours, bytes(4), bytes(4), mac.ljust(16, b"\0"))  # fmt: skip
    return head + bytes(192) + bytes.fromhex("63825363") + bytes((53, 1, kind, 255))


def quic_initial(rng: random.Random) -> bytes:
    """A QUIC version 1 Initial packet by its header (RFC 9000); what follows is encrypted anyway."""
    head = b"\xc3\x00\x00\x00\x01\x08" + rng.randbytes(8) + b"\0\0" + struct.pack("!H", 0x4000 | 1180)
    return (head + rng.randbytes(1200))[:1200]


def soap(action: str) -> bytes:
    """The body of an ONVIF call."""
    return (
        '<?xml version="1.0" encoding="utf-8"?><s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>'
        f'<{action} xmlns="http://www.onvif.org/ver10/device/wsdl"/></s:Body></s:Envelope>'
    ).encode()


def http_post(path: str, host: str, body: bytes, kind: str) -> bytes:
    """An HTTP/1.1 request with a body."""
    return http_request("POST", path, host, f"Content-Type: {kind}", f"Content-Length: {len(body)}") + body
