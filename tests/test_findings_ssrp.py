"""SQL discovery as rules see it: whose exchanges, which replies belong to which requests, what a cut reply tells.

The rules themselves are tested on whole scenes (test_findings_scenes); here is what several of them rest on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import classifier
from classifier.findings.case import Case

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from captures.makers.faults import sentry_discovery, sentry_sql  # noqa: E402
from captures.makers.faults.scene import ANY  # noqa: E402
from captures.makers.faults.sentry_site import CLIENTS, DATABASE, SERVER, stage  # noqa: E402
from captures.makers.payloads import ssrp_request  # noqa: E402
from captures.makers.site import S  # noqa: E402


def case_of(data: bytes, folder: Path) -> Case:
    path = folder / "capture.pcap"
    path.write_bytes(data)
    return Case(classifier.classify(path))


def test_a_reply_names_whom_it_went_to_and_whether_it_is_cut(tmp_path: Path) -> None:
    whole = case_of(sentry_sql.answered(sentry_sql.record("SITESQL", "tcp;49731;")), tmp_path).read.announced
    assert [(item.address, item.asker, item.port, item.cut) for item in whole] == [(DATABASE, CLIENTS[0], 49731, False)]
    assert whole[0].asker_port == 52_002
    data = sentry_sql.answered(sentry_sql.record("SITESQL", "tcp;49731;"), snaplen=130)
    assert [(item.port, item.cut) for item in case_of(data, tmp_path).read.announced] == [(0, True)]
    data = sentry_sql.answered(sentry_sql.record("SITESQL", "tcp;0;"))
    assert [(item.port, item.cut) for item in case_of(data, tmp_path).read.announced] == [(0, False)]


def test_an_answer_from_another_address_belongs_to_the_request_of_the_same_client_port(tmp_path: Path) -> None:
    found = case_of(sentry_sql.other_address(), tmp_path).discovery
    (row, answers), *more = found.elsewhere(5 * S).items()
    text = found.case.addresses.text
    assert not more and len(answers) == 1
    assert text(int(found.server[row])) == DATABASE
    assert text(int(found.server[answers[0]])) == "10.30.0.12"
    assert found.elsewhere(0) == {}
    assert case_of(sentry_sql.other_address(late=True), tmp_path).discovery.elsewhere(5 * S) == {}


def test_exchanges_are_digital_sentrys_by_their_ends(tmp_path: Path) -> None:
    assert case_of(sentry_discovery.silent(), tmp_path).discovery.sentry.all()
    assert not case_of(sentry_discovery.only_discovery(), tmp_path).discovery.sentry.any()
    tried = case_of(sentry_discovery.only_discovery(video_tried=True), tmp_path).discovery
    assert tried.sentry.all()
    ends = set(tried.case.addresses.texts(tried.sentry_hosts.nonzero()[0]).tolist())
    assert ends == {CLIENTS[0], SERVER}
    scanned = case_of(sentry_discovery.only_discovery(scan=True), tmp_path).discovery
    assert not len(scanned.attempts) and not scanned.sentry.any()


def test_what_was_asked_for_and_told(tmp_path: Path) -> None:
    found = case_of(sentry_discovery.unknown_instance(), tmp_path).discovery
    assert found.by_name(CLIENTS[0], DATABASE, "oldsql") and not found.by_name(CLIENTS[0], DATABASE, "OTHER")
    assert found.by_name(CLIENTS[0], DATABASE, "SITESQL") and not found.by_name(CLIENTS[1], DATABASE, "SITESQL")
    assert found.named(DATABASE) == {"SITESQL"} and found.named(SERVER) == set()
    assert [(row.asker, row.instance, row.port, row.replies) for row in found.told_of] == [
        (CLIENTS[0], "SITESQL", 49731, 1)
    ]
    assert len(found.exchanges(CLIENTS[0], DATABASE)) == 2 and found.exchanges("192.0.2.1", DATABASE) == []
    assert len(found.answering(CLIENTS[0], DATABASE)) == 1


def test_many_silent_clients_are_one_finding(tmp_path: Path) -> None:
    cast = stage()
    cast.video(cast.clients[0], seconds=20)
    for number in range(120):
        client = cast.site.host(f"pc{number}", f"10.30.1.{number + 1}")
        cast.ask(S + number * 1_000_000, client, cast.server, ssrp_request("SITESQL"))
        cast.site.udp(9 * S, cast.router, 53, client, 50_000, bytes(40), ANY)
    rows = [row for row in case_of(cast.done(), tmp_path).report.rows("findings") if row["code"] == "DS-SSRP-SILENT"]
    assert [row["status"] for row in rows] == ["fired"]
    assert rows[0]["title"].startswith("120 clients get no answer")
    assert "and 115 more" in rows[0]["summary"] and len(rows[0]["flow_ids"]) == 120
