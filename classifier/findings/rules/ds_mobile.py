"""DS-MOBILE: DSWebService of a Digital Sentry server cannot be reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from classifier.findings import failures, needs
from classifier.findings.attempts import REFUSED
from classifier.findings.audio import failing_services
from classifier.findings.case import Case
from classifier.findings.model import Finding, Rule


def check(case: Case, setting: Callable[[str], float]) -> Iterator[Finding]:
    for item in failing_services(case, "digital_sentry.mobile"):
        flows = failures.flows(case, item)
        refused = item.outcomes[0] == REFUSED
        yield Finding(
            title=failures.title(case, item),
            summary=(
                f"{failures.summary(case, item)} Pelco Mobile comes in here, and only where DSWebService is installed; "
                "other programs may have asked for a web page of this server."
            ),
            flow_ids=flows,
            first_record=case.first_record(flows),
            selection=failures.selection(case, item),
            remedy=(
                f"If Pelco Mobile is wanted, check that DSWebService is installed and runs on {item.server}."
                if refused
                else ""
            ),
        )


RULE = Rule(
    code="DS-MOBILE",
    severity="warning",
    title="Pelco Mobile does not reach Digital Sentry",
    remedy="Allow 443/tcp to the server on every firewall on the way, and check that DSWebService runs there.",
    source=(
        "Pelco support article on Digital Sentry's ports: \"443 TCP - Required for Pelco Mobile connections when the "
        'DSWebService is installed"'
    ),
    check=check,
    needs=(needs.DIGITAL_SENTRY,),
)
