"""One generated capture, and what a rule must say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..payloads import digifort_login
from ..site import MS, Host, Interface, Label, S, Site
from ..tcp import Conversation


@dataclass(frozen=True)
class Scene:
    """`make` gives the bytes of a capture (or of several files, read as one).

    `fires`: how many findings of `code` there must be, 0 for a look-alike. `says`: texts that the findings' titles and
    summaries together must have; `never`: texts that they must not have. `severity`: of the first of them. `skipped`:
    a text of the reason, when the rule must say that this capture cannot tell. `packets`: what the first one's display
    filter must select, None: what the finding claims. `options`: for `classify` (site, settings, limits).
    """

    code: str
    name: str
    make: Callable[[], bytes | Sequence[bytes]]
    fires: int = 1
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    severity: str = ""
    skipped: str = ""
    packets: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


ANY = Label("any")
"""What scenes give where a maker wants a label: what a flow is, is for the classifier to tell."""
START_NS = 1_717_400_000 * 1_000_000_000  # 2024-06-03 07:33:20 UTC


def lan(seed: int = 1, *, snaplen: int = 0, interfaces: int = 1) -> Site:
    """An empty network, captured on `eth0` (and `eth1`, ...)."""
    names = tuple(Interface(f"eth{number}", snaplen) for number in range(interfaces))
    return Site("scene", seed, START_NS, names)


def digifort_at_work(site: Site, server: Host, client: Host, *, at: int = 0, seconds: int = 10) -> None:
    """A surveillance client and its Digifort server, beyond doubt: greeting, then talk every second."""
    talk = Conversation(site, client, 50_000 + site.later(0, 10_000), server, 8600, ANY)
    now = talk.send(talk.open(at), 1, digifort_login(site.rng))
    for second in range(seconds):
        now = talk.send(max(now, at + second * S + 200 * MS), 0, site.rng.randbytes(60))
        now = talk.send(now + MS, 1, site.rng.randbytes(900))
