"""What the scenes share: the network, the options, who is there, free ports, streams of bytes and of RTP.

In: seed and options. Out: `Play`, given to every scene.
"""

from __future__ import annotations

import random

from .. import payloads
from .options import SECONDS, Options
from .wire import MS, US, Fact, Flow, Host, Network, S, Talk

END = SECONDS * S
START_NS = 1_760_000_000 * S
NTP_EPOCH = 2_208_988_800
STANDARD = {
    "server": 8600, "http_api": 8601, "web": 80, "analytics": 8610, "lpr": 8611, "rtsp": 554,
    "diagnostics": 17772, "video": 18772, "mobile": 443,
}  # fmt: skip
AUDIO = 18778
REGISTERED = {3130, 3283, 3343, 3389, 3478, 3544, 3702, 3784, 3785, 3799, 4341, 4342, 4500, 4569, 4739, 4754, 4755,
              4784, 4789, 4790, 4791, 4840, 5000}  # fmt: skip
"""Ports of the media range that belong to registered services: nobody's media goes there."""
GROUP, ANNOUNCE_GROUP, SSDP_GROUP, MDNS_GROUP = "225.5.10.1", "225.0.0.100", "239.255.255.250", "224.0.0.251"


class Play:
    """A site in the making."""

    def __init__(self, seed: int, options: Options) -> None:
        self.seed, self.options, self.rng = seed, options, random.Random(f"site {seed}")
        self.net = Network(self.rng)
        self.prefix = self.rng.choice(
            (f"10.{self.rng.randrange(256)}.{self.rng.randrange(256)}", f"192.168.{self.rng.randrange(256)}",
             f"172.{self.rng.randrange(16, 32)}.{self.rng.randrange(256)}")
        )  # fmt: skip
        self._last = self.rng.sample(range(2, 250), 200)
        self.ports = dict(STANDARD)
        if options.ports == "moved":
            self.ports = dict(zip(STANDARD, self.rng.sample(range(21_000, 26_900), len(STANDARD)), strict=True))
        # the router forwards the same ports, or others
        self.outer = self.ports
        if options.addresses == "nat" and seed % 2:
            self.outer = {name: port + 27_000 if port < 27_000 else port for name, port in self.ports.items()}
        self._used: set[tuple[str, int]] = set()
        self.router = self.host("router", last=1)
        self.nat = self.net.host("nat", f"203.0.113.{self.rng.randrange(2, 250)}")

    def host(self, name: str, *, windows: bool = False, servers: bool = False, last: int = 0) -> Host:
        """A new host of the site's network."""
        return self.net.host(name, f"{self.prefix}.{last or self._last.pop()}", windows=windows, servers=servers)

    def client(self, name: str, *, windows: bool = False) -> Host:
        """A client: a host of its own, or one of many behind the NAT address."""
        return self.nat if self.options.addresses == "nat" else self.host(name, windows=windows)

    def port(self, host: Host, low: int = 49_152, high: int = 65_000) -> int:
        """A free port of a host."""
        while True:
            port = self.rng.randrange(low, high)
            if (host.ip, port) not in self._used:
                self._used.add((host.ip, port))
                return port

    def share(self, part: float) -> int:
        """How many packets a part of the site has."""
        return max(12, int(self.options.packets * part * 0.6))  # the rest is set-up and acknowledgements

    def later(self, low: int, high: int) -> int:
        """A time or span, from `low` to `high`."""
        return self.rng.randrange(low, max(low + 1, high))

    def noise(self, low: int, high: int) -> bytes:
        """Opaque bytes."""
        return self.rng.randbytes(self.rng.randrange(low, high))

    def udp_talk(self, at: int, client: Host, port: int, server: Host, server_port: int, question: bytes,
                 answer: bytes, component: str, early: bool = False) -> Flow:  # fmt: skip
        """A question and its answer."""
        self.net.udp(at, client, port, server, server_port, question, component, early=early)
        at += self.later(200 * US, 4 * MS)
        return self.net.udp(at, server, server_port, client, port, answer, component, early=early)

    def stream(self, talk: Talk, side: int, start: int, end: int, packets: int, size: int = 3000) -> None:
        """Noise from one side, about so many packets with their acknowledgements; the other side speaks sometimes."""
        bursts = max(4, packets * 2 * talk.mss // (3 * size))
        for number in range(bursts):
            at = start + (end - start) * number // bursts + self.later(0, 2 * MS)
            talk.send(at, side, self.noise(size // 2, size * 3 // 2))
            if number % 7 == 3:
                talk.send(at + 8 * MS, 1 - side, self.noise(20, 90))

    def tls(self, talk: Talk, at: int, name: str, turns: int, *shows: Fact, largest: int = 1800) -> int:
        """TLS on an open connection: hello, then so many turns of application data. Hellos show the facts, data may."""
        rng = self.rng
        at = talk.ask(at, payloads.tls_client_hello(rng, name), payloads.tls_server_hello(rng), *shows, told=shows,
                      early=True)  # fmt: skip
        at = talk.send(at, 0, payloads.tls_finished(rng), early=True)
        step = max(50 * MS, (END - at - S) // (turns + 1))
        for turn in range(turns):
            question = payloads.tls_data(rng, rng.randrange(90, 400))
            hint = tuple(Fact(f"{fact.name}?", fact.need) for fact in shows)
            answer = payloads.tls_data(rng, rng.randrange(300, largest))
            talk.ask(at + turn * step, question, answer, *hint, told=hint)
        return at + turns * step

    def rtp(self, src: Host, sport: int, dst: Host | str, dport: int, start: int, end: int, packets: int,
            component: str, *, noise: bool = False, kind: int = 96, size: int = 900, clock: int = 90_000,
            reports: bool = False, ttl: int = 0) -> Flow:  # fmt: skip
        """A stream of RTP, or of noise of the same shape; with `reports` also RTCP one port up, both ways."""
        rng, net = self.rng, self.net
        sequence, ssrc, base = rng.getrandbits(16), rng.getrandbits(32), rng.getrandbits(32)
        per_picture = 1 if clock < 90_000 else rng.randrange(2, 6)
        pictures = max(4, packets // per_picture)
        step = (end - start) // pictures
        flow = None
        for number in range(pictures):
            at = start + number * step + rng.getrandbits(20)
            stamp = (base + number * step * clock // S) & 0xFFFFFFFF
            for piece in range(per_picture):
                data = rng.randbytes(size // 2 + rng.getrandbits(16) % size)
                last = piece == per_picture - 1
                data = data if noise else payloads.rtp(kind, sequence, stamp, ssrc, data, mark=last)
                flow = net.udp(at + piece * 90 * US, src, sport, dst, dport, data, component, ttl=ttl)
                sequence = (sequence + 1) & 0xFFFF
            if reports and isinstance(dst, Host) and number % max(1, pictures // 5) == pictures // 10:
                self._reports(at, src, sport, dst, dport, component, ssrc, stamp, sequence, noise)
        assert flow is not None
        return flow

    def _reports(self, at: int, src: Host, sport: int, dst: Host, dport: int, component: str, ssrc: int, stamp: int,
                 sequence: int, noise: bool) -> None:  # fmt: skip
        seconds = (START_NS + at) // S + NTP_EPOCH
        sent = payloads.rtcp_sender_report(ssrc, (seconds, at & 0xFFFFFFFF), stamp, sequence, sequence * 900, "source")
        back = payloads.rtcp_receiver_report(ssrc ^ 0x5555, ssrc, 0, sequence, 40, "sink")
        if noise:
            sent, back = self.noise(60, 80), self.noise(60, 80)
        self.net.udp(at + MS, src, sport + 1, dst, dport + 1, sent, component)
        self.net.udp(at + 3 * MS, dst, dport + 1, src, sport + 1, back, component)
