"""Whole sites varied by seed, with what is true of them: for tests, accuracy figures and benchmarks.

`make_site(seed, options)` gives the bytes of a capture and its `Truth`. Way of a packet: a scene (`digifort`, `sentry`,
`background`, `decoys`) builds it on the `Network` (`wire`) together with what its payload proves; `seen` drops what the
point of capture does not show; `truth` says per flow what the rest can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from .background import play_background
from .decoys import play_decoys
from .digifort import play_digifort
from .options import Options
from .play import STANDARD, Play
from .seen import Learned, captured, count, pcap, rotated
from .sentry import play_sentry
from .truth import FlowTruth, Grades, Truth, judge, resolve
from .wire import Flow, Host, Packet

__all__ = ["FlowTruth", "Made", "Options", "Truth", "make_site"]

SERVER_ROLES = {
    "digifort.server": "Digifort server",
    "digifort.analytics": "Digifort Analytics server",
    "digifort.lpr": "Digifort LPR server",
    "digital_sentry.sql": "Digital Sentry SQL host",
    "digital_sentry.diagnostics": "Digital Sentry server",
    "digifort.upnp_discovery": "Digifort Administration Client",
}


@dataclass(frozen=True)
class Made:
    """A site as a capture shows it."""

    seed: int
    options: Options
    packets: list[Packet]
    truth: Truth

    @property
    def capture(self) -> bytes:
        """One pcap file."""
        return pcap(self.packets, self.options)

    def parts(self, files: int) -> list[bytes]:
        """The same capture as rotated files, in order of time."""
        return rotated(self.packets, self.options, files, self.seed)


PLAIN = Options()


def make_site(seed: int, options: Options = PLAIN) -> Made:
    """A site: the same seed and options give the same bytes."""
    play = Play(seed, options)
    play_background(play, _products(play) if options.decoys in ("", "beside") else [])
    if options.decoys:
        play_decoys(play)
    packets = captured(play.net, options)
    learned = count(packets, options)
    there = {id(packet.flow) for packet in packets}
    flows = [flow for flow in play.net.flows if id(flow) in there]
    sure, most = (resolve(flows, learned, lenient=lenient) for lenient in (False, True))
    truth = Truth(
        [judge(flow, sure, most) for flow in flows],
        len(packets),
        sum(len(packet.frame) for packet in packets),
        _roles(sure),
        {address for flow, grade in most.items() if grade for address in (flow.orig, flow.resp)}
        | {address for flow in flows if flow.may for address in (flow.orig, flow.resp)},
        _learned(sure, learned),
    )
    return Made(seed, options, packets, truth)


def _products(play: Play) -> list[Host]:
    """Both products; hosts that take part in the ordinary traffic too."""
    server = play.host("server", windows=True, servers=True)
    apart = play.options.layout == "apart"
    sentry = play.host("recorder", windows=True, servers=True) if apart else server
    off_box = apart and play.rng.random() < 0.6
    database = play.host("database", windows=True, servers=True) if off_box else sentry
    digifort = play_digifort(play, server)
    play_sentry(play, sentry, database)
    return [server, digifort.admin, *digifort.cameras[:2], *([sentry] if apart else [])]


def _roles(sure: Grades) -> dict[str, set[str]]:
    """The servers' roles that known flows give."""
    roles: dict[str, set[str]] = {}
    for flow, grade in sure.items():
        if grade and flow.component in SERVER_ROLES:
            roles.setdefault(flow.listener[0], set()).add(SERVER_ROLES[flow.component])
    return roles


def _learned(sure: Grades, learned: Learned) -> set[tuple[str, int]]:
    """Endpoints that only content tells: the SQL port, cameras' media, services that moved."""
    known = {flow.listener for flow, grade in sure.items() if grade == "confirmed"}
    ends = {(address, port) for name, address, port in learned if name == "sql" or (name == "media" and not port % 2)}
    moved = {flow.listener for flow in sure if _moved(flow) and sure[flow] == "confirmed"}
    return (ends & known) | moved


def _moved(flow: Flow) -> bool:
    name = flow.component.partition(".")[2]
    return name in STANDARD and flow.listener[1] != STANDARD[name]
