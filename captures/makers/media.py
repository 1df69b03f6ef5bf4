"""RTP and RTCP (RFC 3550): H.264 (RFC 6184), JPEG (RFC 2435) and opaque streams with right numbers.

In: a `Site`, endpoints, a label. Out: datagrams on the site and, in `site.streams`, what is true of each stream.
"""

from __future__ import annotations

import struct

from . import payloads
from .site import MS, US, Host, Label, S, Site

SLICE = bytes.fromhex("419a381be0db903d09bcf4")  # how another picture's slice begins
NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


class RtpStream:
    """One RTP stream from `src` to a host or group; RTCP goes one port up on both sides."""

    def __init__(
        self,
        site: Site,
        src: Host,
        sport: int,
        dst: Host | str,
        dport: int,
        label: Label,
        *,
        payload_type: int = 96,
        clock_rate: int = 90_000,
        largest: int = 1200,
        ttl: int = 0,
        lost: frozenset[int] = frozenset(),
        first_sequence: int | None = None,
    ) -> None:
        self.site, self.src, self.sport, self.dst, self.dport, self.label = site, src, sport, dst, dport, label
        self.payload_type, self.clock_rate, self.largest, self.ttl = payload_type, clock_rate, largest, ttl
        self.ssrc = site.rng.getrandbits(32)
        self.sequence = site.rng.getrandbits(15) if first_sequence is None else first_sequence
        self.base = site.rng.getrandbits(32)
        self.sent = self.octets = self.highest = 0
        self.lost = lost  # which packets (from 0) never reached the point of capture
        self.truth: dict[str, object] = {
            "src": src.ip,
            "src_port": sport,
            "dst": dst.ip if isinstance(dst, Host) else dst,
            "dst_port": dport,
            "ssrc": self.ssrc,
            "payload_type": payload_type,
            "clock_rate": clock_rate,
            "packets": 0,
            "lost": 0,
            "component": label.component,
        }
        site.streams.append(self.truth)

    def stamp(self, at: int) -> int:
        """The RTP timestamp of a picture taken at `at`."""
        return (self.base + at * self.clock_rate // S) % 2**32

    def packet(self, at: int, stamp: int, data: bytes, *, mark: bool) -> None:
        """One RTP packet; those in `lost` are sent but not captured."""
        message = payloads.rtp(self.payload_type, self.sequence, stamp, self.ssrc, data, mark=mark)
        if self.sent in self.lost:
            self.truth["lost"] = int(self.truth["lost"]) + 1  # type: ignore[call-overload]
        else:
            where = (self.src, self.sport, self.dst, self.dport)
            self.site.udp(at, *where, message, self.label, ttl=self.ttl)
            self.truth["packets"] = int(self.truth["packets"]) + 1  # type: ignore[call-overload]
        self.highest = self.sequence
        self.sequence = (self.sequence + 1) % 65536
        self.sent += 1
        self.octets += len(data)

    def h264_picture(self, at: int, size: int, *, key: bool) -> int:
        """One picture of about `size` bytes: parameter sets before a key one, fragmentation units above `largest`."""
        stamp = self.stamp(at)
        units = payloads.h264_picture(self.site.rng, size, key=key, largest=self.largest)
        for place, unit in enumerate(units):
            self.packet(at, stamp, unit, mark=place == len(units) - 1)
            at += 20 * US if key and place < 2 else 110 * US
        return at

    def jpeg_picture(self, at: int, size: int, *, width: int = 352, height: int = 240) -> int:
        """One JPEG picture (type 1, Q 60: tables by rule), in packets of `largest` bytes."""
        stamp = self.stamp(at)
        scan = self.site.rng.randbytes(size)
        for offset in range(0, size, self.largest):
            piece = scan[offset : offset + self.largest]
            header = struct.pack("!IBBBB", offset, 1, 60, width // 8, height // 8)
            self.packet(at, stamp, header + piece, mark=offset + self.largest >= size)
            at += 130 * US
        return at

    def sender_report(self, at: int, cname: str) -> None:
        """RTCP SR and SDES of the sender (compound packet)."""
        now = self.site.start_ns + at
        seconds, rest = divmod(now, S)
        stamps = (seconds + NTP_EPOCH, (rest << 32) // S), self.stamp(at)
        report = payloads.rtcp_sender_report(self.ssrc, *stamps, self.sent, self.octets, cname)
        where = (self.src, self.sport + 1, self.dst, self.dport + 1)
        self.site.udp(at, *where, report, self.label, ttl=self.ttl)

    def receiver_report(self, at: int, receiver_ssrc: int) -> None:
        """RTCP RR of the receiving host, with the loss it has seen."""
        assert isinstance(self.dst, Host)
        lost = int(self.truth["lost"])  # type: ignore[call-overload]
        report = payloads.rtcp_receiver_report(receiver_ssrc, self.ssrc, lost, self.highest, 40, "receiver")
        self.site.udp(at, self.dst, self.dport + 1, self.src, self.sport + 1, report, self.label)


def film(
    stream: RtpStream,
    start: int,
    end: int,
    *,
    pictures_per_second: float,
    key_every: int,
    key_bytes: int,
    bytes_between: int,
    cname: str = "",
    report_every: int = 10 * S,
    receiver: bool = False,
) -> None:
    """An H.264 stream from `start` to `end`; with `cname` also RTCP, with `receiver` also the receiver's reports."""
    site = stream.site
    step = int(S / pictures_per_second)
    next_report = start + report_every // 2
    receiver_ssrc = site.rng.getrandbits(32)
    for number, at in enumerate(range(start, end, step)):
        if cname and at >= next_report:
            stream.sender_report(at - 2 * MS, cname)
            if receiver:
                stream.receiver_report(at - 1 * MS, receiver_ssrc)
            next_report += report_every
        key = number % key_every == 0
        size = key_bytes if key else bytes_between
        stream.h264_picture(at + site.later(0, 3 * MS), size * 3 // 4 + site.rng.getrandbits(16) % (size // 2), key=key)
