"""DGF-WEB-HEAVY: the Digifort web server sends far more than the pages it is there for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.evidence.marks import mark_bit
from classifier.findings import filters, needs
from classifier.findings.case import TCP, Case, listed
from classifier.findings.endpoints import by_responder, originators
from classifier.findings.model import Finding, Rule, Setting
from classifier.units import counted, size

MEGABYTE = 1_000_000


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    flows = case.flows
    web = np.flatnonzero(case.owned_by("digifort.web"))
    server = np.unique(case.addresses.resp[web] << 16 | flows.resp_port[web], return_inverse=True)[1]
    much = np.bincount(server, flows.resp_wire[web]) > setting("megabytes") * MEGABYTE  # to one client at least
    much |= np.bincount(server, (flows.evidence[web] & mark_bit("mjpeg")) != 0) > 0
    for address, port, rows in by_responder(case, web[much[server]]):
        clients = originators(case, rows)
        sent = int(flows.resp_wire[rows].sum())
        pictures = rows[(flows.evidence[rows] & mark_bit("mjpeg")) != 0]
        if sent <= setting("megabytes") * MEGABYTE * len(clients) and not len(pictures):
            continue
        heavy = rows[np.argsort(-flows.resp_wire[rows], kind="stable")]
        what = (
            f"{len(pictures):,} of them {'carries' if len(pictures) == 1 else 'carry'} a stream of JPEG pictures. "
            if len(pictures)
            else ""
        )
        yield Finding(
            title=f"Web server {case.place(address)}:{port} sends more than its pages: {size(sent)}",
            summary=(
                f"{size(sent)} went in {counted(len(rows), 'connection')} to {listed(clients, 'client')}; the largest "
                f"one took {size(int(flows.resp_wire[heavy[0]]))}. {what}Digifort's web server only loads its ActiveX "
                "controls into a browser, so another service may be behind this port."
            ),
            flow_ids=heavy.tolist(),
            first_record=case.first_record(heavy.tolist()),
            selection=filters.of_endpoint(case, address, port, TCP),
        )


RULE = Rule(
    code="DGF-WEB-HEAVY",
    severity="info",
    title="The Digifort web server sends far more than pages",
    remedy="Look at what the connections carry; if another program serves this port, move it or name it with --map.",
    source='Digifort Ports and Addresses, 3.3: "Basically it will only provide a way to load Digifort ActiveX '
    'controls"; the amount is ours',
    check=check,
    needs=(needs.DIGIFORT,),
    settings=(Setting("megabytes", 50, "MB", "from the web server to each client, on average"),),
)
