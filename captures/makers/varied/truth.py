"""What is true of a generated site's flows, and what of it the capture can tell.

In: flows with the facts that the capture shows, and what payloads put at other endpoints. Out: per flow its component,
whether the capture can tell it, the grade that it can have. Nothing here looks at a packet or asks the classifier:
the facts were noted by the scene that built the payload.

A flow's component can be known when

* its payload proves it, or another payload puts the component at its endpoint: confirmed;
* its port is the component's own: probable;
* its port is shared (80, 443, 1434, 3000-5000, 8660) and its host takes part in the product otherwise: probable.

All of it is resolved twice: with the facts that are surely there, which gives what must be found, and with those that
may be (cut payloads, a question without its answer), which gives what may be found and how sure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from .play import AUDIO, STANDARD
from .seen import Learned
from .wire import Endpoint, Flow

PRODUCTS = ("digifort", "digital_sentry")
MAX_PROBABLE = {
    "digifort.announcement", "digifort.multicast_media", "digital_sentry.diagnostics", "digital_sentry.video",
    "digital_sentry.audio", "digital_sentry.mobile",
}  # fmt: skip
SERVES = {"digifort.server", "digifort.http_api", "digifort.rtsp"}
SENDS = {"digifort.announcement", "digifort.multicast_media"}
SENTRY = {"digital_sentry.video", "digital_sentry.diagnostics"}

Grades = dict[Flow, str]


@dataclass(frozen=True)
class FlowTruth:
    """One flow.

    `owners`: who may own it, the true component first where it can be known; empty: anybody but a product.
    `grade`: the most that the evidence gives a product, "" where none may own it. `knowable`: one of `owners` must.
    """

    flow: Flow
    owners: tuple[str, ...]
    grade: str
    knowable: bool


@dataclass(frozen=True)
class Truth:
    """A whole site. `roles`: address to the roles that its host must be given; `allowed`: addresses that may have a
    product's role. `learned`: endpoints that payloads put elsewhere than the documents do."""

    flows: list[FlowTruth]
    packets: int
    wire_bytes: int
    roles: dict[str, set[str]] = field(default_factory=dict)
    allowed: set[str] = field(default_factory=set)
    learned: set[tuple[str, int]] = field(default_factory=set)


class _Evidence:
    """The facts of one resolution."""

    def __init__(self, flows: list[Flow], learned: Learned, *, lenient: bool) -> None:
        self.flows, self.lenient = flows, lenient
        self.learned = {(name.rstrip("?"), *end) for name, *end in learned if lenient or not name.endswith("?")}
        self.proven: dict[Endpoint, str] = {
            flow.listener: flow.component for flow in flows if self.shows(flow, "content")
        }

    def shows(self, flow: Flow, fact: str) -> bool:
        return fact in flow.facts or (self.lenient and f"{fact}?" in flow.facts)

    def proves(self, flow: Flow) -> bool:
        """Its own payload, or another flow's at the same endpoint, proves the component."""
        return self.shows(flow, "content") or self.proven.get(flow.listener) == flow.component

    def names(self, what: str, end: Endpoint) -> bool:
        return (what, *end) in self.learned


class _Roles:
    """Who takes part in what, as far as it is known."""

    def __init__(self, grades: Grades) -> None:
        self.serving: dict[str, set[str]] = {}
        self.taking_part: dict[str, set[str]] = {}
        for flow, grade in grades.items():
            if grade:
                self.serving.setdefault(flow.listener[0], set()).add(flow.component)
                for address in (flow.listener[0], flow.peer):
                    self.taking_part.setdefault(address, set()).add(flow.component)

    def receives(self, address: str) -> bool:
        """A Digifort server in the sense of media: it serves clients, or sends to the products' groups."""
        sends = self.taking_part.get(address, set()) & SENDS
        return bool(self.serving.get(address, set()) & SERVES or sends)

    def of(self, address: str, components: Iterable[str]) -> bool:
        return bool(self.taking_part.get(address, set()) & set(components))


Rule = Callable[[Flow, _Evidence, _Roles], str]


def _own_port(name: str) -> Rule:
    def rule(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
        if evidence.proves(flow):
            return "confirmed"
        return "probable" if flow.listener[1] == STANDARD[name] else ""

    return rule


def _web(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    if evidence.proves(flow):
        return "confirmed"
    address, port = flow.listener
    host = roles.receives(address) or roles.serving.get(address, set()) & {"digifort.analytics", "digifort.lpr"}
    if port != STANDARD["web"] or not host or "tls" in flow.facts:
        return ""  # the web server is HTTP
    return "" if evidence.shows(flow, "tls?") and not evidence.lenient else "probable"


def _media(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    if not roles.receives(flow.listener[0]):
        return ""
    if evidence.names("media", flow.listener):
        return "confirmed"
    only_back = not flow.orig_packets  # a receiver's reports without the stream: nobody is seen to receive
    return "probable" if evidence.lenient or not only_back else ""


def _always(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    return "probable"


def _upnp(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    if evidence.proves(flow):
        return "confirmed"
    others = {"digifort.server", "digifort.http_api", "digifort.analytics", "digifort.lpr", *SENDS}
    return "probable" if roles.of(flow.orig, others) or roles.of(flow.resp, others) else ""


def _rtsp(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    return "confirmed" if evidence.proves(flow) else ""


def _sql(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    if not (roles.of(flow.orig, SENTRY) or roles.of(flow.resp, SENTRY)):
        if "digital_sentry.sql_discovery" not in roles.serving.get(flow.listener[0], set()):
            return ""
    return "confirmed" if evidence.proves(flow) or evidence.names("sql", flow.listener) else ""


def _sql_discovery(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    serving = roles.serving.get(flow.listener[0], set()) & {"digital_sentry.sql", "digital_sentry.sql_discovery"}
    if not (serving or roles.of(flow.orig, SENTRY) or roles.of(flow.resp, SENTRY)):
        return ""
    return "confirmed" if evidence.proves(flow) else "probable"


def _mobile(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    address, port = flow.listener
    return "probable" if port == STANDARD["mobile"] and roles.serving.get(address, set()) & SENTRY else ""


def _audio(flow: Flow, evidence: _Evidence, roles: _Roles) -> str:
    supported = roles.of(flow.orig, SENTRY) or roles.of(flow.resp, SENTRY)
    return "probable" if supported or (flow.packets >= 10 and flow.listener[1] >= AUDIO) else ""


RULES: dict[str, Rule] = {
    "digifort.server": _own_port("server"),
    "digifort.http_api": _own_port("http_api"),
    "digifort.analytics": _own_port("analytics"),
    "digifort.lpr": _own_port("lpr"),
    "digifort.web": _web,
    "digifort.media_input": _media,
    "digifort.announcement": _always,
    "digifort.multicast_media": _always,
    "digifort.upnp_discovery": _upnp,
    "digifort.rtsp": _rtsp,
    "digital_sentry.diagnostics": _own_port("diagnostics"),
    "digital_sentry.video": _own_port("video"),
    "digital_sentry.sql": _sql,
    "digital_sentry.sql_discovery": _sql_discovery,
    "digital_sentry.mobile": _mobile,
    "digital_sentry.audio": _audio,
}


def resolve(flows: list[Flow], learned: Learned, *, lenient: bool) -> Grades:
    """Grade per product flow, "" where its component cannot be known; until no host is known to do more."""
    evidence = _Evidence(flows, learned, lenient=lenient)
    own = [flow for flow in flows if flow.component in RULES]
    grades: Grades = dict.fromkeys(own, "")
    while True:
        roles = _Roles(grades)
        fresh = {flow: RULES[flow.component](flow, evidence, roles) for flow in own}
        for flow, grade in fresh.items():
            if grade and flow.component in MAX_PROBABLE:
                fresh[flow] = "probable"
        if fresh == grades:
            return grades
        grades = fresh


def judge(flow: Flow, sure: Grades, most: Grades) -> FlowTruth:
    """What may be said of one flow."""
    if flow.component not in RULES:
        owners = flow.others or (flow.component,)
        return FlowTruth(flow, (*owners, *flow.may), flow.may_grade if flow.may else "", not flow.may)
    if sure[flow]:
        return FlowTruth(flow, (flow.component,), most[flow], True)
    return FlowTruth(flow, (), most[flow], False)
