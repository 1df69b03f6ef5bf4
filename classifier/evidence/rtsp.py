"""RTSP conversations: which media flows a client and a server agreed on.

In: the messages of one RTSP connection, both directions or one. Out: `MediaFlow`s and `Fact`s. Next: the collector,
which knows the addresses. Sources: RFC 2326 (12.17 CSeq, 12.39 Transport, appendix C), RFC 8866.

A reply is joined to its request by CSeq; replies to nothing and requests without an answer count too, unconfirmed. The
reply is authoritative, but both sides of the bargain are kept: some cameras answer `server_port=0-1`, or a client_port
other than the one they were asked for and then send to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from classifier.evidence.message import Message
from classifier.evidence.sdp import Codec, Connection, Media, Session, parse_sdp
from classifier.evidence.transport import Pair, Transport, parse_transport
from classifier.evidence.urls import clean_url

__all__ = ["Conversation", "Fact", "MediaFlow", "Transport", "parse_transport"]

MAX_OPEN = 64
MAX_FLOWS = 256
MAX_SESSIONS = 8

REALM = "digifort rtsp server"
"""Realm of Digifort's RTSP server, lower case (a public test fixture of its dialogue)."""
MEDIA_PATH = "/interface/cameras/media"
"""Path of Digifort's RTSP URLs, lower case (vendors' integration guides)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """`code`: "digifort_rtsp"; `by`: "realm", "session" or "path"; `side`: who sent the message that proves it (the
    server, but the client for "path"); `ts_ns`, `record`: of that message."""

    code: str
    by: str
    side: int
    ts_ns: int
    record: int


@dataclass(frozen=True, slots=True)
class MediaFlow:
    """One medium that was set up, or asked for.

    `client_side`: the side (as given to `add`) that asked; `target`: path of the SETUP, with the safe part of its
    query, "" where the request is missing; `kind`: "video", "audio", ..., "" where not known; `payloads`: payload
    type -> codec; `asked`: transports in the request's order, `answered`: the one the reply chose; `confirmed`: there
    is a reply with status 2xx; `group`: the multicast group the description names, with `group_port` (0: not told);
    `ts_ns`, `record`: of the reply, else of the request; `ended_ns`: when a TEARDOWN asked for the end.
    """

    client_side: int
    target: str
    kind: str
    payloads: dict[int, Codec]
    asked: tuple[Transport, ...]
    answered: Transport | None
    confirmed: bool
    group: Connection | None
    group_port: int
    ts_ns: int
    record: int
    ended_ns: int | None

    @property
    def is_multicast(self) -> bool:
        chosen = self._transports()[0]
        return chosen.cast == "multicast" or (not chosen.cast and Connection(chosen.destination, 0).is_multicast)

    @property
    def interleaved(self) -> Pair | None:
        """Channels, where the medium goes through the RTSP connection itself."""
        return next((t.interleaved for t in self._transports()[:1] if t.lower == "TCP"), None)

    @property
    def client_ports(self) -> tuple[Pair, ...]:
        """Ports of the client, the answered pair first; two pairs where asked and answered differ; none with port 0."""
        return self._pairs("client_port")

    @property
    def server_ports(self) -> tuple[Pair, ...]:
        return self._pairs("server_port")

    @property
    def destination(self) -> str:
        """Where the media go if not to the client's address: as answered, as described (a group), as asked."""
        answered = self.answered.destination if self.answered else ""
        described = self.group.address if self.group and self.is_multicast else ""
        return answered or described or next((t.destination for t in self._transports() if t.destination), "")

    @property
    def source(self) -> str:
        return next((t.source for t in self._transports() if t.source), "")

    @property
    def ports(self) -> Pair | None:
        """Ports of a multicast medium."""
        named = next((t.port for t in self._transports() if t.port and t.port[0]), None)
        described = (self.group_port, self.group_port + 1) if self.group_port and self.is_multicast else None
        return named or described

    def _transports(self) -> tuple[Transport, ...]:
        """The answered one, and of those asked for the ones that it can be the answer to."""
        if self.answered is None:
            return self.asked[:1]
        like = [t for t in self.asked if t.lower == self.answered.lower and t.cast in ("", self.answered.cast)]
        chosen = self.answered
        if not chosen.cast and like:  # left out in many replies; its default, multicast, is never meant
            chosen = replace(chosen, cast=like[0].cast)
        return (chosen, *(like or [t for t in self.asked if t.lower == chosen.lower]))

    def _pairs(self, name: str) -> tuple[Pair, ...]:
        pairs: list[Pair | None] = [getattr(t, name) for t in self._transports() if t.lower != "TCP"]
        return tuple(dict.fromkeys(pair for pair in pairs if pair and pair[0]))


@dataclass(frozen=True, slots=True)
class _Said:
    side: int
    message: Message
    body: bytes
    ts_ns: int
    record: int


class Conversation:
    """The messages of one RTSP connection. Bounded; never raises.

    Each side's messages in their order; a reply may come before its request if its time is not earlier. `dropped`:
    messages beyond the bounds that could have mattered.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._requests = _Waiting()
        self._replies = _Waiting()
        self._agreed: list[tuple[_Said, _Said]] = []
        self._described: deque[_Described] = deque(maxlen=MAX_SESSIONS)
        self._ends: list[_Said] = []
        self._facts: dict[str, Fact] = {}
        self._by_path: Fact | None = None
        self._served = self._refused = False

    def add(self, side: int, message: Message, body: bytes, ts_ns: int, record: int) -> None:
        """Take a message that `side` (0 or 1) sent, with as much of its body as there is."""
        if message.protocol != "RTSP":
            return
        said = _Said(side, message, body, ts_ns, record)
        number = message.header("cseq")
        if message.kind == "request":
            self._request(said)
            reply = self._replies.take((1 - side, number), since=ts_ns)
            if reply:
                self._exchange(said, reply)
            else:
                self.dropped += not self._requests.keep((side, number), said)
        else:
            self._reply(said)
            request = self._requests.take((1 - side, number), until=ts_ns)
            if request:
                self._exchange(request, said)
            else:
                self.dropped += not self._replies.keep((side, number), said)

    def flows(self) -> tuple[MediaFlow, ...]:
        """Media flows by time: agreed ones, and what was asked for or answered with the other half missing."""
        flows = [flow for request, reply in self._agreed if (flow := self._flow(request, reply))]
        latest: dict[str, int] = {}
        for flow in flows:
            latest[flow.target] = max(flow.ts_ns, latest.get(flow.target, flow.ts_ns))
        halves: dict[tuple[int, str], MediaFlow] = {}
        for said in self._requests:
            half = self._flow(said, None) if said.message.method == "SETUP" else None
            if half and half.ts_ns > latest.get(half.target, half.ts_ns - 1):
                known = halves.get((said.side, half.target))
                if known is None or known.ts_ns <= half.ts_ns:  # a retry replaces the first attempt
                    halves[said.side, half.target] = half
        flows += halves.values()
        for said in self._replies:
            if 200 <= said.message.status < 300 and (half := self._flow(None, said)):
                flows.append(half)
        return tuple(sorted(flows, key=lambda flow: (flow.ts_ns, flow.record)))

    def facts(self) -> tuple[Fact, ...]:
        """What proves a Digifort RTSP server. A path counts unless the server refused it: anyone can ask for it."""
        found = list(self._facts.values())
        if self._by_path and (self._served or not self._refused):
            found.append(self._by_path)
        return tuple(sorted(found, key=lambda fact: (fact.ts_ns, fact.record, fact.by)))

    def _request(self, said: _Said) -> None:
        message = said.message
        if _is_digifort_path(message) and (self._by_path is None or said.ts_ns < self._by_path.ts_ns):
            self._by_path = Fact("digifort_rtsp", "path", said.side, said.ts_ns, said.record)
        if message.method == "ANNOUNCE":
            self._describe(said, message.target)
        elif message.method == "TEARDOWN":
            if len(self._ends) < MAX_OPEN:
                self._ends.append(said)
            else:
                self.dropped += 1

    def _reply(self, said: _Said) -> None:
        if said.message.realm.lower().startswith(REALM):
            self._facts.setdefault("realm", Fact("digifort_rtsp", "realm", said.side, said.ts_ns, said.record))
        base = said.message.header("content-base") or said.message.header("content-location")
        self._describe(said, clean_url(base).target)

    def _describe(self, said: _Said, base: str) -> None:
        """Keep a session description. `base`: what its relative controls stand on, "" if only the request tells."""
        whole = said.message.body_bytes == len(said.body)
        session = parse_sdp(said.body, whole=whole) if said.body else None
        if session is None:
            return
        if session.is_digifort:
            self._facts.setdefault("session", Fact("digifort_rtsp", "session", said.side, said.ts_ns, said.record))
        self.dropped += len(self._described) == MAX_SESSIONS
        self._described.append(_Described(said, base, session))

    def _exchange(self, request: _Said, reply: _Said) -> None:
        """A request with its reply."""
        message, status = request.message, reply.message.status
        if _is_digifort_path(message) and message.method != "OPTIONS":  # any server answers OPTIONS
            self._served |= 200 <= status < 300 or status == 401
            self._refused |= status == 404
        if message.method == "DESCRIBE":
            for described in self._described:
                if described.said is reply and not described.base:
                    described.base = message.target
        elif message.method == "SETUP" and 200 <= status < 300:
            if len(self._agreed) < MAX_FLOWS:
                self._agreed.append((request, reply))
            else:
                self.dropped += 1

    def _flow(self, request: _Said | None, reply: _Said | None) -> MediaFlow | None:
        asked = parse_transport(request.message.header("transport")) if request else ()
        answers = parse_transport(reply.message.header("transport")) if reply else ()
        said = reply or request
        if said is None or not (asked or answers):
            return None
        target = request.message.target if request else ""
        client_side = request.side if request else 1 - said.side
        media = self._media(target, said.ts_ns)
        kinds = {each.kind for each in media}
        payloads: dict[int, Codec] = {}
        for each in media:
            payloads.update(each.rtpmap)
        group = media[0].connection if len(media) == 1 else None
        if group and not group.is_multicast:
            group = None
        return MediaFlow(
            client_side=client_side,
            target=target,
            kind=kinds.pop() if len(kinds) == 1 else "",
            payloads=payloads,
            asked=asked,
            answered=answers[0] if answers else None,
            confirmed=reply is not None,
            group=group,
            group_port=media[0].port if group else 0,
            ts_ns=said.ts_ns,
            record=said.record,
            ended_ns=self._end(client_side, target, said.ts_ns),
        )

    def _media(self, target: str, ts_ns: int) -> list[Media]:
        """The described media that a SETUP's target can mean: one, or several that its URL does not tell apart."""
        nearest = sorted(self._described, key=lambda each: (each.said.ts_ns > ts_ns, -each.said.ts_ns))
        wanted = _trim(target)
        for described in nearest:
            media, base = described.session.media, _trim(described.base)
            if len(media) == 1 and (not wanted or not base or wanted.startswith(base)):
                return list(media)
            found = [each for each in media if wanted and wanted in _controls(described, each)]
            if found:
                return found
        last = wanted.rpartition("/")[2]
        for described in nearest:  # servers whose base is another than they are asked under
            found = [each for each in described.session.media if last and _trim(each.control).endswith(last)]
            if len(found) == 1:
                return found
        return []

    def _end(self, client_side: int, target: str, ts_ns: int) -> int | None:
        """When the client asked for the end of this medium or of the whole session."""
        ends = [
            said.ts_ns
            for said in self._ends
            if said.side == client_side and said.ts_ns >= ts_ns and _trim(target).startswith(_trim(said.message.target))
        ]
        return min(ends, default=None)


class _Waiting:
    """Messages that wait for their other half, by side and CSeq; half of the room is for those that set media up."""

    def __init__(self) -> None:
        self._queues: dict[tuple[int, str], deque[_Said]] = {}
        self._size = 0

    def __iter__(self) -> Iterator[_Said]:
        for queue in self._queues.values():
            yield from queue

    def keep(self, key: tuple[int, str], said: _Said) -> bool:
        """False when there was no room for a message that matters."""
        matters = bool(said.message.header("transport"))
        if self._size >= (MAX_OPEN if matters else MAX_OPEN // 2):
            return not matters
        self._size += 1
        self._queues.setdefault(key, deque()).append(said)
        return True

    def take(self, key: tuple[int, str], *, since: int | None = None, until: int | None = None) -> _Said | None:
        """The oldest message under `key`, unless it is before `since` or after `until`."""
        queue = self._queues.get(key)
        if not queue or (since is not None and queue[0].ts_ns < since):
            return None
        if until is not None and queue[0].ts_ns > until:
            return None
        said = queue.popleft()
        self._size -= 1
        if not queue:
            del self._queues[key]
        return said


@dataclass(slots=True)
class _Described:
    said: _Said
    base: str
    session: Session


def _is_digifort_path(message: Message) -> bool:
    path = message.path.lower()
    return path == MEDIA_PATH or path.startswith(MEDIA_PATH + "/")


def _controls(described: _Described, media: Media) -> set[str]:
    """Targets that a client may use for a medium: servers and clients differ in how they join base and control."""
    control, own = media.control, described.session.control
    if control.startswith("/"):
        return {_trim(control)}
    base = _trim(described.base)
    bases = {base}
    if own.startswith("/"):
        bases.add(_trim(own))
    elif own not in ("", "*"):
        bases.add(f"{base}/{own}")
    if not control:
        return bases - {""}
    return {_trim(f"{each}/{control}") for each in bases} | {
        _trim(f"{each.rpartition('/')[0]}/{control}") for each in bases
    }


def _trim(target: str) -> str:
    return target.rstrip("/")
