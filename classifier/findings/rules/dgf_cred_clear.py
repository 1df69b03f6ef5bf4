"""DGF-CRED-CLEAR: user names and passwords cross the network in clear. Their values are never kept or shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.evidence.marks import mark_bit
from classifier.evidence.proofs import Proof
from classifier.findings import filters, needs
from classifier.findings.case import TCP, Array, Case, joined, listed
from classifier.findings.endpoints import by_responder, originators
from classifier.findings.media import digifort_servers
from classifier.findings.model import Finding, Rule
from classifier.units import counted

_CODE = "credentials"
_HOW = {"url": "in the URL", "basic": "in an Authorization header (base64 only)"}


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    flows = case.flows
    clear = (flows.evidence & mark_bit(_CODE)) != 0
    if not clear.any():
        return
    ours = clear & case.of_product("digifort")
    for address, port, rows in by_responder(case, np.flatnonzero(ours)):
        component = case.labels.components[int(case.labels.component[rows[0]])]
        name = case.facts.signatures.name_of(component)
        yield Finding(
            title=f"Passwords for {name} on {joined(address, port)} cross the network in clear",
            summary=(
                f"{_sentence(case, rows)}, from {listed(originators(case, rows), 'client')}. "
                "Their values are not kept or shown here; the capture file holds them."
            ),
            flow_ids=rows.tolist(),
            first_record=_record(case, rows),
            selection=filters.of_endpoint(case, address, port, TCP),
        )
    servers = digifort_servers(case)
    opened = np.isin(case.addresses.orig, [case.addresses.find(server) for server in servers])
    for number in distinct(case.addresses.orig[clear & opened & ~ours]).tolist():
        rows = np.flatnonzero(clear & opened & ~ours & (case.addresses.orig == number))
        cameras = [joined(address, port) for address, port, _ in by_responder(case, rows)]
        yield Finding(
            title=f"Digifort server {case.place(case.addresses.text(number))} sends camera passwords in clear",
            summary=(
                f"{_sentence(case, rows)}, to {listed(cameras, 'device')}. Their values are not kept or shown here; "
                "the capture file holds them."
            ),
            flow_ids=rows.tolist(),
            first_record=_record(case, rows),
            selection=filters.of_flows(case, rows.tolist()),
            remedy=(
                "Set the cameras to Digest authentication (or HTTPS and RTSPS where both sides can), give the server "
                "an account of its own on them, and keep them in a network of their own. Change these passwords if the "
                "capture leaves the site."
            ),
        )


def _proofs(case: Case, rows: Array) -> list[Proof]:
    """What the first flows said in clear."""
    return [proof for flow in rows[:1000].tolist() for proof in case.labels.proofs.of(flow) if proof.code == _CODE]


def _sentence(case: Case, rows: Array) -> str:
    proofs = _proofs(case, rows)
    hows = sorted({_HOW[proof.detail] for proof in proofs if proof.detail in _HOW})
    first = case.at(min((proof.ts_ns for proof in proofs), default=int(case.flows.first_ns[rows].min())))
    return (
        f"At least {counted(len(rows), 'connection')} with a user's name and password {' or '.join(hows)} since {first}"
    )


def _record(case: Case, rows: Array) -> int:
    proofs = _proofs(case, rows)
    return min(proofs, key=lambda item: item.ts_ns).record if proofs else case.first_record(rows.tolist())


RULE = Rule(
    code="DGF-CRED-CLEAR",
    severity="warning",
    title="User names and passwords of Digifort cross the network in clear",
    remedy=(
        "Let programs log in to the API by session (a hash instead of the password) and not with the password in "
        "every URL; give each an account of its own with few rights; reach the web server and the API over a VPN or a "
        "TLS proxy. Change these passwords if the capture leaves the site."
    ),
    source="public client code for the Digifort HTTP API (password, or a session, in the URL); RFC 7617 4 "
    "(basic authentication is not secure by itself); RFC 2326 (RTSP takes it from HTTP)",
    check=check,
    needs=(needs.DIGIFORT,),
)
