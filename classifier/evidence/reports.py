"""What RTCP says of streams: the receiver's loss and jitter, the sender's reports.

In: compound packets with the addresses they went between. Out: `Reports`, to be asked per stream. Reports travel on the
stream's own flow or on the port above it, so they are joined by SSRC and addresses; a report to a group may be
about any sender in it. Sources: RFC 3550 6.4. Next: `tables.streams`.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.evidence.rtcp import Rtcp


@dataclass(slots=True)
class Heard:
    """Report blocks about one source from one receiver, summed up."""

    count: int = 0
    lost: int = 0  # highest
    fraction: int = 0  # highest, 1/256
    jitter: int = 0  # highest, ticks

    def add(self, other: Heard) -> None:
        """Take in what another receiver says."""
        self.count += other.count
        self.lost = max(self.lost, other.lost)
        self.fraction = max(self.fraction, other.fraction)
        self.jitter = max(self.jitter, other.jitter)


class Reports:
    """All reports of a pass. `dropped`: blocks beyond `most` pairs of source and reporter."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.dropped = 0
        self._about: dict[int, dict[tuple[str, str], Heard]] = {}  # SSRC -> (reporter, to whom) -> what it says
        self._senders: dict[tuple[int, str], int] = {}
        self._pairs = 0

    def add(self, said: Rtcp, source: str, target: str) -> None:
        """Take a compound packet that went from address `source` to `target`."""
        if said.sender is not None:
            key = (said.ssrc, source)
            if key in self._senders or self._room():
                self._senders[key] = self._senders.get(key, 0) + 1
        for block in said.blocks:
            by_pair = self._about.setdefault(block.ssrc, {}) if block.ssrc in self._about or self._room() else None
            if by_pair is None:
                continue
            if (source, target) not in by_pair and by_pair and not self._room():
                continue
            heard = by_pair.setdefault((source, target), Heard())
            heard.add(Heard(1, block.lost, block.fraction, block.jitter))

    def _room(self) -> bool:
        if self._pairs >= self.most:
            self.dropped += 1
            return False
        self._pairs += 1
        return True

    def about(self, ssrc: int, sender: str, receiver: str, is_group: bool) -> Heard:
        """What receivers say about the stream that `sender` sends to `receiver`; `count` is 0 when none does."""
        heard = Heard(lost=-(1 << 23))
        for (source, target), one in self._about.get(ssrc, {}).items():
            if (source == receiver and target == sender) or (is_group and target in (sender, receiver)):
                heard.add(one)
        return heard

    def by_sender(self, ssrc: int, sender: str) -> int:
        """Sender reports of a source."""
        return self._senders.get((ssrc, sender), 0)
