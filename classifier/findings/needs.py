"""What rules require of a capture, each with the sentence that says what is lacking.

In: a Case. Out: `Need`s. Next: the rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from classifier.findings.model import Need

if TYPE_CHECKING:
    from classifier.findings.case import Case


def _product(product: str, name: str) -> Need:
    def lacking(case: Case) -> str:
        if len(case.server_numbers(product)):
            return ""
        return f"nothing in this capture shows a component of {name}, and --host names none"

    return Need(f"a component of {name}", lacking)


def _packets(case: Case) -> str:
    return "" if case.facts.totals["packets"] else "the capture holds no packets"


def _followed(case: Case) -> str:
    return "" if case.read.limits.follow else "--fast leaves the quality of streams and connections out"


def _watched(case: Case) -> str:
    return "--fast does not look for copies, sizes and times of single packets" if case.read.watched is None else ""


def _tcp(case: Case) -> str:
    return "" if len(case.read.tcp) else "no TCP connection with data in this capture"


def _streams(case: Case) -> str:
    return "" if len(case.read.streams) else "no media stream in this capture"


DIGIFORT = _product("digifort", "Digifort")
DIGITAL_SENTRY = _product("digital_sentry", "Digital Sentry")
PACKETS = Need("packets", _packets)
FOLLOWED = Need("the quality of streams and connections (no --fast)", _followed)
WATCHED = Need("a look at every packet (no --fast)", _watched)
TCP_DATA = Need("TCP connections with data", _tcp)
STREAMS = Need("media streams", _streams)
