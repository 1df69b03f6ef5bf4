"""DS-SSRP-SILENT: the SQL Server Browser of Digital Sentry does not answer."""

from __future__ import annotations

from functools import partial

from classifier.findings.model import Rule
from classifier.findings.silence import SETTINGS, silences
from classifier.findings.ssrp import SENTRY_SITE

RULE = Rule(
    code="DS-SSRP-SILENT",
    severity="error",
    title="Digital Sentry's SQL Server cannot be found",
    remedy="Start SQL Server Browser on the SQL Server and allow 1434/udp to it, and its answers back.",
    source=(
        "Pelco support article on Digital Sentry's ports: \"SQL discovery port used by DS ControlPoint to locate the "
        'dynamic SQL TCP port"; "connection failure will occur"; [MC-SQLR] 3.2.5 on what a server ignores; causes by '
        "RFC 792 and RFC 1812 5.2.7.1; stealth mode of Windows' firewall: Microsoft support 2586744"
    ),
    check=partial(silences, sentry=True),
    needs=(SENTRY_SITE,),
    settings=SETTINGS,
)
