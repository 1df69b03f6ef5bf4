"""DS-AUDIO-BLOCKED: audio is sent and does not get to the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.arrays import distinct
from classifier.findings import filters, needs
from classifier.findings.audio import audio_flows, listeners
from classifier.findings.case import SECOND, Case, listed
from classifier.findings.model import Finding, Rule, Setting
from classifier.findings.rejections import PORT, kind_of, words_of
from classifier.units import counted


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    rows, _ = audio_flows(case)
    rejections = case.attempts.rejections
    rows = rows[rejections.error_of_flow[rows] >= 0]
    since = np.array([rejections.errors[k].first_ns for k in rejections.error_of_flow[rows].tolist()], "i8")
    rows = rows[case.flows.last_ns[rows] - since >= setting("seconds") * SECOND]
    groups: dict[str, list[int]] = {}
    for number in distinct(rejections.error_of_flow[rows]).tolist():
        groups.setdefault(rejections.errors[number].sender, []).append(number)
    for sender, numbers in groups.items():
        mine = rows[np.isin(rejections.error_of_flow[rows], numbers)]
        items = listeners(case, mine)
        if not items:
            continue
        error = rejections.errors[numbers[0]]
        clients = list(dict.fromkeys(item.client for item in items))
        itself = clients == [sender]
        nobody = itself and kind_of(error) == PORT
        flows = mine.tolist()
        by = "the client itself" if itself else "a device on the way"
        yield Finding(
            title=f"Audio for {listed(clients)} does not arrive: {sender} answers unreachable",
            summary=(
                f"{listed([f'{item.server} sends to {item.client} on {item.port}/udp' for item in items])}, "
                f"{counted(sum(item.sent for item in items), 'packet')}; {case.place(sender)}, {by}, answers "
                f"{words_of(error)}: {counted(sum(rejections.errors[k].packets for k in numbers), 'time')} at least, "
                f"the first at {case.at(error.first_ns)} (record {error.record})."
                + (" Nothing listens on that port there." if nobody else "")
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=filters.of_flows(case, flows),
            remedy=(
                "Close and open the audio in ControlPoint again; check that it still runs there and that its firewall "
                "lets these ports in."
                if nobody
                else ""
            ),
        )


RULE = Rule(
    code="DS-AUDIO-BLOCKED",
    severity="warning",
    title="Digital Sentry's audio does not reach a client",
    remedy="Allow the audio ports from the server to the clients on the device that answers: 18778/udp and above.",
    source=(
        "Pelco support article on Digital Sentry's ports: \"18778 - 187xx UDP - Utilized to deliver audio from Digital "
        'Sentry servers to ControlPoint clients"; RFC 792, RFC 1812 5.2.7.1'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
    settings=(
        Setting("seconds", 1, "s", "that audio goes on after the first error; its last packets meet a closed port"),
    ),
)
