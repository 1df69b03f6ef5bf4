"""How much one reading may keep in memory: the bounds a caller can set, in one place.

In: nothing. Out: `Limits`, which `engine.classify` takes and the option `--max-flows` makes. A bound that is reached is
named in the report (`Report.problems`); docs/robustness.md lists every bound, also the fixed ones.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_FLOWS = 1 << 28
"""Rows that the numbers of the flow table have room for, with those that are shared beyond the bound."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one reading. Sums stay exact whatever they are.

    `flows`: flows with a row of their own, about 600 bytes each up to the report (a TCP connection that got beyond its
    first SYN 512 more, for up to 1,048,576 of them); packets of further flows are counted together, in one row per IP
    protocol and version. `bins`: time bins kept, 32 bytes each (never fewer than four for each of `flows`); beyond
    half of them they get ten times as wide. `payloads`: payloads that are looked at for evidence. `facts`: what may be
    learned from them. `follow`: keep the quality of media streams and TCP connections too; without, there are none of
    their rows, and reading is faster. Raises ValueError for numbers below 1 and for more flows than `MOST_FLOWS`.
    """

    flows: int = 4_000_000
    bins: int = 16_777_216
    payloads: int = 200_000
    facts: int = 100_000
    follow: bool = True

    def __post_init__(self) -> None:
        for name in ("flows", "bins", "payloads", "facts"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: at least 1 is needed, not {getattr(self, name)}")
        if self.flows > MOST_FLOWS:
            raise ValueError(f"flows: at most {MOST_FLOWS}, not {self.flows}")

    @property
    def room_for_bins(self) -> int:
        """Time bins that are kept: fewer than a few per flow would make them wider without making them fewer."""
        return max(self.bins, 4 * self.flows)


DEFAULTS = Limits()
