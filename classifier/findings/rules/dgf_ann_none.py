"""DGF-ANN-NONE: a Digifort service that does not announce itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings.case import Case, listed
from classifier.findings.model import FLOWS_OF_A_FINDING, Finding, Need, Rule, Setting, Skipped
from classifier.findings.multicast import ANNOUNCE_SOURCE, announcers
from classifier.findings.snooping import too_short
from classifier.findings.vantage import HOST, PORT
from classifier.units import span

SERVICES = {
    "digifort.server": "Digifort server",
    "digifort.analytics": "Analytics server",
    "digifort.lpr": "LPR server",
}


def _lacking(case: Case) -> str:
    return "" if case.hosts_of(*SERVICES) else "no Digifort, Analytics or LPR server in this capture"


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding | Skipped]:
    announcing = {case.addresses.text(number) for number in announcers(case)}
    silent = [host for host in case.hosts_of(*SERVICES) if host not in announcing]
    if not silent:
        return
    short = too_short(case, setting("seconds"))
    if short:
        yield Skipped(f"{short}: how often servers announce themselves is not public")
        return
    if case.vantage.lossy:
        yield Skipped(f"packets are missing from the capture: {', '.join(case.vantage.loss)}")
        return
    shown = [host for host in silent if _would_show(case, host, bool(announcing))]
    hidden = [host for host in silent if host not in shown]
    if hidden:
        yield Skipped(f"nothing shows that multicast sent by {listed(hidden)} reaches the point of capture")
    if not shown:
        return
    roles = [
        f"{case.place(host)} ({', '.join(name for part, name in SERVICES.items() if host in case.hosts_of(part))})"
        for host in shown
    ]
    numbers = [case.addresses.find(host) for host in shown]
    flows = np.flatnonzero(case.owned_by(*SERVICES) & np.isin(case.addresses.resp, numbers))
    flow_ids = flows[:FLOWS_OF_A_FINDING].tolist()
    others = (
        f" Others do announce themselves here: {listed(sorted(announcing))}."
        if announcing
        else " Nobody else does either."
    )
    yield Finding(
        title=f"No announcement from {listed(shown)} in {span(case.duration_ns)}",
        summary=(
            f"{listed(roles)} sent nothing to 225.0.0.100 port 8650/udp.{others} Clients and servers that look for "
            "services by these announcements do not find it; an address that was typed in works all the same. How "
            "often servers announce themselves is not public."
        ),
        flow_ids=flow_ids,
        first_record=case.first_record(flow_ids),
    )


def _would_show(case: Case, host: str, announcements: bool) -> bool:
    """Whether an announcement of a host would be in this capture."""
    view = case.vantage
    if view.place in (HOST, PORT) and host in view.hosts:
        return True
    return view.hears(host) and (view.sees_host(host) or (announcements and view.is_local(host) is not False))


RULE = Rule(
    code="DGF-ANN-NONE",
    severity="info",
    title="A Digifort service does not announce itself",
    remedy=(
        "If clients cannot find it in their lists: look whether the service uses the right network card, and whether "
        "its host's firewall lets UDP to 225.0.0.100 port 8650 out."
    ),
    source=ANNOUNCE_SOURCE.format(
        "Digifort server, as well as Analytics and LPR servers will announce its service on the network."
    )
    + "; the time to wait is ours",
    check=check,
    needs=(Need("a Digifort, Analytics or LPR server", _lacking),),
    settings=(Setting("seconds", 300, "s", "that a capture must last before silence means something"),),
)
