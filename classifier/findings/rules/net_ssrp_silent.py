"""NET-SSRP-SILENT: a SQL Server Browser does not answer, of no known product."""

from __future__ import annotations

from functools import partial

from classifier.findings.model import Rule
from classifier.findings.silence import SETTINGS, silences

RULE = Rule(
    code="NET-SSRP-SILENT",
    severity="warning",
    title="A SQL Server cannot be found",
    remedy="Start SQL Server Browser on the SQL Server and allow 1434/udp to it, and its answers back.",
    source=(
        "[MC-SQLR] SQL Server Resolution Protocol; causes by RFC 792 and RFC 1812 5.2.7.1. That a DS ControlPoint "
        "whose database cannot be found shows nothing else is ours"
    ),
    check=partial(silences, sentry=False),
    settings=SETTINGS,
)
