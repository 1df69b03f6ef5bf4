"""What one TCP connection shows of its transport, the slow way: from the whole history, with sets of byte numbers.

In: segments in capture order. Out: per side a `Way`. Written from docs/tcp.md, for `test_tcp`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

FIN, SYN, RST, ACK = 1, 2, 4, 16
ENDS = FIN | SYN | RST
MS = 1_000_000
MOST_HOLES = 4


@dataclass(frozen=True)
class Segment:
    """One captured segment. `seq` and `ack`: as in the header."""

    side: int
    ns: int
    seq: int
    ack: int = 0
    flags: int = ACK
    window: int = 1000
    size: int = 0
    ident: int = 0

    @property
    def length(self) -> int:
        """Numbers that it takes."""
        return self.size + bool(self.flags & (SYN | FIN))


@dataclass
class Way:
    """One direction."""

    segments: int = 0
    retransmitted: int = 0
    retransmitted_bytes: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    duplicate_acks: int = 0
    keep_alives: int = 0
    zero_windows: int = 0
    zero_window_ns: int = 0
    gaps: int = 0
    gap_bytes: int = 0
    unseen_acks: int = 0
    unseen_bytes: int = 0
    stall_ns: int = 0
    stall_at_ns: int = 0

    too_many: bool = False  # more holes at a time than the kernel keeps
    first: int | None = None  # numbers without their wrap from here on
    next: int = 0
    next_ns: int = 0
    top: int = 0
    acked: int | None = None
    seen: set[int] = field(default_factory=set)
    told: list[Segment] = field(default_factory=list)  # its segments, without copies
    kept: bool = False  # its last one was a keep-alive
    run: int = 0  # duplicate ACKs in a row
    zero_since: int | None = None
    new_at: int | None = None

    def real(self, number: int, near: int) -> int:
        """A header's number without its wrap."""
        return near + (number - near + 2**31) % 2**32 - 2**31

    def holes(self) -> int:
        """Stretches between the first number and the top that no segment brought."""
        assert self.first is not None
        missing = {n for n in range(self.first, self.top) if n not in self.seen}
        return sum(n - 1 not in missing for n in missing)


@dataclass
class Connection:
    """Both directions and what is of both."""

    ways: tuple[Way, Way]
    silence_ns: int = 0
    silence_at_ns: int = 0
    opened_ns: int = 0
    followed: bool = False


def analyse(segments: list[Segment]) -> Connection:
    """Everything that one connection's segments show. No port is used again in them."""
    talk = Connection((Way(), Way()))
    syns: dict[int, list[Segment]] = {0: [], 1: []}
    synacks: list[Segment] = []
    sent = [0, 0]
    recent: tuple[list[Segment], list[Segment]] = ([], [])
    ended = False
    for s in segments:
        sent[s.side] += 1
        if not talk.followed:
            if not s.flags & RST and s.flags & (SYN | ACK) != SYN:
                talk.followed = True
                for side in (0, 1):
                    if syns[side]:
                        one = syns[side][0]
                        data = one.size if sent[side] == 1 and s.side != side else 0
                        way = talk.ways[side]
                        way.first = way.next = way.top = one.seq + 1 + data
                        way.next_ns = min(x.ns for x in syns[0] + syns[1])
        if talk.followed:
            ended = take(talk, s, syns, synacks, recent[s.side], ended)
        if s.flags & SYN:
            if s.flags & ACK:
                synacks.append(s)
            else:
                syns[s.side].append(s)
    for way in talk.ways:
        last = max((x.ns for w in talk.ways for x in w.told[-1:]), default=0)
        if way.zero_since is not None:
            way.zero_window_ns += max(last - way.zero_since, 0)
        if way.first is not None:
            missing = {n for n in range(way.first, way.top) if n not in way.seen}
            way.unseen_bytes = sum(way.acked is not None and n < way.acked for n in missing)
            way.gap_bytes = len(missing) - way.unseen_bytes
    return talk


def take(
    talk: Connection,
    s: Segment,
    syns: dict[int, list[Segment]],
    synacks: list[Segment],
    recent: list[Segment],
    ended: bool,
) -> bool:
    """Add one segment; returns whether one side has sent FIN or RST by now."""
    me, peer = talk.ways[s.side], talk.ways[1 - s.side]
    if s.ident:
        alike = [
            x
            for x in recent[-4:]
            if (x.ident, x.seq, x.ack, x.size, x.flags, x.window) == (s.ident, s.seq, s.ack, s.size, s.flags, s.window)
            and abs(x.ns // 1000 - s.ns // 1000) <= 5000
        ]
        if alike:
            me.duplicates += 1
            return ended
        recent.append(s)
    before = [x.ns for way in talk.ways for x in way.told[-1:]]
    if not s.flags & SYN and before and not ended and s.ns - max(before) > talk.silence_ns:
        talk.silence_ns, talk.silence_at_ns = s.ns - max(before), max(before)
    last = me.told[-1] if me.told else None
    other = peer.told[-1] if peer.told else None
    if s.flags & SYN and me.first is None:
        me.first = me.next = me.top = s.seq
        me.next_ns = s.ns
    numbered = me.first is not None
    seq = me.real(s.seq, me.next) if numbered else s.seq
    end = seq + s.length
    probe = bool(numbered and s.size == 1 and seq == me.next and other and other.window == 0)
    kept = False
    if not probe:
        zero_window(me, s)
        me.gaps += numbered and seq > me.next and not s.flags & RST
        kept = numbered and s.size <= 1 and seq == me.next - 1 and not s.flags & ENDS
        me.keep_alives += kept
        same = last is not None and (last.ack, last.window) == (s.ack, s.window)
        if s.size == 0 and s.window and numbered and seq == me.next and not s.flags & ENDS and same and not peer.kept:
            me.duplicate_acks += 1
            me.run += 1
    if last is None or last.ack != s.ack:
        me.run = 0
    if s.flags & ACK:
        acknowledge(peer, s.ack)
        answered = [x for x in synacks if x.side != s.side]
        if not s.flags & ENDS and answered and not talk.opened_ns:
            talk.opened_ns = s.ns
    me.segments += s.size > 0
    if s.size and not kept:
        one = syns[0] + syns[1]
        round_trip = talk.opened_ns - one[0].ns if talk.opened_ns and len(one) == 1 else 3 * MS
        sort_out(me, peer, s, seq, end, numbered, round_trip)
    bring(me, s, seq, end, numbered, probe)
    me.told.append(s)
    me.kept = kept
    return (ended or bool(s.flags & (FIN | RST))) and not (s.flags & SYN and not ended)


def zero_window(me: Way, s: Segment) -> None:
    """Zero windows, their number and time."""
    if s.window == 0 and not s.flags & ENDS:
        me.zero_windows += 1
        if me.zero_since is None:
            me.zero_since = s.ns
    elif me.zero_since is not None:
        me.zero_window_ns += max(s.ns - me.zero_since, 0)
        me.zero_since = None


def acknowledge(peer: Way, number: int) -> None:
    """The other side acknowledged up to `number`."""
    if peer.first is None:
        return
    ack = peer.real(number, peer.top)
    peer.top = max(peer.top, ack)
    peer.too_many |= peer.holes() > MOST_HOLES
    if peer.acked is not None and ack <= peer.acked:
        return
    low = peer.first if peer.acked is None else peer.acked
    peer.unseen_acks += any(n not in peer.seen for n in range(max(low, peer.first), ack))
    peer.acked = ack


def sort_out(me: Way, peer: Way, s: Segment, seq: int, end: int, numbered: bool, round_trip: int) -> None:
    """Sent again, late or new."""
    again = min(max(me.next - seq, 0), s.size) if numbered else s.size
    other = peer.told[-1] if peer.told else None
    if other and other.ack and (seq + s.size - me.real(other.ack, seq)) <= 0:
        me.retransmitted += 1
        me.retransmitted_bytes += again
        return
    if not numbered or seq >= me.next or (s.size > 1 and seq == me.next - 1):
        return
    fast = other and peer.run >= 2 and other.ack == s.seq and 0 <= s.ns - other.ns < 20 * MS
    if not fast and 0 <= s.ns - me.next_ns < round_trip and end != me.next:
        me.out_of_order += 1
    else:
        me.retransmitted += 1
        me.retransmitted_bytes += again


def bring(me: Way, s: Segment, seq: int, end: int, numbered: bool, probe: bool) -> None:
    """The bytes of a segment; how long none were new."""
    if not numbered:
        me.first = me.next = me.top = seq
        me.next_ns = s.ns
    assert me.first is not None
    fresh: set[int] = set()
    if not s.flags & RST:
        fresh = {n for n in range(max(seq, me.first), end) if n not in me.seen}
        me.seen |= fresh
        me.top = max(me.top, seq, end)
        me.too_many |= me.holes() > MOST_HOLES
    if not probe and end > me.next:
        me.next, me.next_ns = end, s.ns
    if s.size and (fresh or not numbered) and not probe:
        if me.new_at is not None and s.ns - me.new_at > me.stall_ns:
            me.stall_ns, me.stall_at_ns = s.ns - me.new_at, me.new_at
        me.new_at = s.ns if me.new_at is None else max(s.ns, me.new_at)
