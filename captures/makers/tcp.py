"""TCP conversations with right sequence numbers, acknowledgements and handshakes.

In: a `Site`, two hosts, ports and a label. Out: frames put on the site, packet by packet. Failed attempts too.
"""

from __future__ import annotations

from scapy.layers.inet import TCP
from scapy.packet import Raw

from .site import MS, US, Flow, Host, Label, S, Site, Wrap

MSS = 1460


class Conversation:
    """One TCP connection. `client` opened it. Every method returns the time after its last packet."""

    def __init__(
        self,
        site: Site,
        client: Host,
        client_port: int,
        server: Host,
        server_port: int,
        label: Label,
        *,
        rtt_ns: int = 600 * US,
        mss: int = MSS,
        interface: int = 0,
        wrap: Wrap | None = None,
        encapsulation: str = "",
    ) -> None:
        self.site, self.label, self.rtt_ns, self.mss = site, label, rtt_ns, mss
        self.hosts = (client, server)
        self.ports = (client_port, server_port)
        self.interface, self.wrap = interface, wrap
        self.next = [site.rng.getrandbits(32), site.rng.getrandbits(32)]  # next sequence number of each side
        self.flow = site.flow(
            "tcp", client.ip, client_port, server.ip, server_port, label, new=True, encapsulation=encapsulation
        )
        self.flow.tcp_state = "midstream"

    def segment(self, at: int, side: int, flags: str, data: bytes = b"", *, ack: bool = True) -> None:
        """One segment of `side` (0 client, 1 server); sequence numbers move on."""
        src, dst = self.hosts[side], self.hosts[1 - side]
        syn = "S" in flags
        options = [("MSS", self.mss), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None), ("SAckOK", b"")]
        header = TCP(
            sport=self.ports[side],
            dport=self.ports[1 - side],
            seq=self.next[side],
            ack=self.next[1 - side] if ack else 0,
            flags=flags,
            window=64240 if syn else (0 if "R" in flags else 1026),
            options=options if syn else [],
        )
        packet = self.site.ip(src, dst.ip, 6, header / Raw(data) if data else header, flags="DF")
        self.site.put(
            at,
            self.site.ethernet(src.mac, dst.mac, packet),
            self.label.component,
            self.flow,
            from_orig=side == 0,
            payload=len(data),
            interface=self.interface,
            wrap=self.wrap,
        )
        self.next[side] = (self.next[side] + len(data) + ("S" in flags) + ("F" in flags)) % 2**32

    def open(self, at: int) -> int:
        """The three-way handshake."""
        self.segment(at, 0, "S", ack=False)
        self.segment(at + self.rtt_ns // 2, 1, "SA")
        self.segment(at + self.rtt_ns, 0, "A")
        self.flow.tcp_state = "established"
        return at + self.rtt_ns + 50 * US

    def send(self, at: int, side: int, data: bytes) -> int:
        """`data` from one side, in segments; the other acknowledges every second one and the last."""
        pieces = [data[start : start + self.mss] for start in range(0, len(data), self.mss)]
        for number, piece in enumerate(pieces):
            last = number == len(pieces) - 1
            self.segment(at, side, "PA" if last else "A", piece)
            at += 14 * US
            if number % 2 or last:
                at += self.rtt_ns // 2
                self.segment(at, 1 - side, "A")
                at += 20 * US
        return at

    def ask(self, at: int, question: bytes, answer: bytes, *, think_ns: int = 2 * MS) -> int:
        """A request of the client and the server's answer."""
        at = self.send(at, 0, question)
        return self.send(at + think_ns, 1, answer)

    def close(self, at: int, side: int = 0) -> int:
        """FIN from `side`, then from the other."""
        self.segment(at, side, "FA")
        self.segment(at + self.rtt_ns // 2, 1 - side, "A")
        self.segment(at + self.rtt_ns, 1 - side, "FA")
        self.segment(at + self.rtt_ns * 3 // 2, side, "A")
        self.flow.tcp_state = "closed" if self.flow.tcp_state == "established" else "midstream_closed"
        return at + self.rtt_ns * 3 // 2

    def reset(self, at: int, side: int) -> int:
        """RST from `side`."""
        self.segment(at, side, "RA")
        self.flow.tcp_state = "reset" if self.flow.tcp_state == "established" else "midstream_reset"
        return at


def attempt(
    site: Site,
    at: int,
    client: Host,
    client_port: int,
    server: Host,
    server_port: int,
    candidates: tuple[str, ...],
    *,
    refused: bool,
) -> Flow:
    """A connection that never came about: refused by RST, or three SYNs (0, 3, 9 s) without any answer."""
    talk = Conversation(
        site, client, client_port, server, server_port, Label("unclassified.tcp", candidates=candidates)
    )
    isn = talk.next[0]
    for wait in (0,) if refused else (0, 3 * S, 9 * S):
        talk.next[0] = isn
        talk.segment(at + wait, 0, "S", ack=False)
    if refused:
        talk.next[1] = 0
        talk.segment(at + talk.rtt_ns // 2, 1, "RA")
    talk.flow.tcp_state = "refused" if refused else "attempt"
    return talk.flow
