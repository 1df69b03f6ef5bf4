"""DS-DIAG-BLOCKED: ControlPoint's diagnostics port cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from classifier.findings import failures, needs
from classifier.findings.audio import failing_services
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for item in failing_services(case, "digital_sentry.diagnostics"):
        flows = failures.flows(case, item)
        video = case.owned_by("digital_sentry.video") & (case.addresses.resp == case.addresses.find(item.server))
        works = " Video on 18772/tcp of this server is in the capture." if np.any(video) else ""
        yield Finding(
            title=failures.title(case, item),
            summary=(
                f"{failures.summary(case, item)} The Diagnostics feature and the server version in the Systems tab "
                f"need this port, nothing else.{works}"
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=failures.selection(case, item),
        )


RULE = Rule(
    code="DS-DIAG-BLOCKED",
    severity="info",
    title="Digital Sentry's diagnostics cannot be reached",
    remedy="Allow 17772/tcp to the server if diagnostics and the version in the Systems tab are wanted; else nothing.",
    source=(
        "Pelco support article on Digital Sentry's ports: \"17772 TCP - (Not required) Used for the DS ControlPoint "
        'Diagnostics feature, also provides the server version found in the Systems tab"'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
)
