"""The overview: fits the screen, says the main things, survives hostile text."""

from __future__ import annotations

import pytest
from fake_report import FakeReport, capture, component, full_site, host, neighbours_only, problem

from classifier.render import text
from classifier.render.escape import printable


def screen(report: FakeReport, **options: object) -> str:
    return text.render(report, **options)  # type: ignore[arg-type]


def finding(severity: str, title: str) -> dict[str, object]:
    return {"code": "X-1", "severity": severity, "title": title, "summary": "", "remedy": "", "display_filter": "",
            "flow_ids": [], "first_record": 1, "source": "", "status": "fired", "skipped_because": ""}  # fmt: skip


CROWDED = {
    "everything": full_site(),
    "neighbours": neighbours_only(),
    "empty": FakeReport(components=[]),
    "many problems": full_site(captures=[capture(problems=[problem("x", n, n, "bad " * 40) for n in range(1, 500)])]),
    "many products": full_site(
        components=[component(f"product_{n // 4}.part{n}", f"Part {n}", 1000 + n, probable=1) for n in range(36)]
    ),
    "many findings": full_site(findings=[finding("error", f"trouble {n}") for n in range(50)]),
    "many roles": full_site(hosts=[host(f"10.0.0.{n}", [f"role {n}"], n, n) for n in range(200)]),
    "long names": full_site(
        components=[component("digifort.server", "n" * 300, 1000, confirmed=1000)],
        hosts=[host("2001:db8::" + "1" * 4, ["r" * 300], 1, 1) for _ in range(9)],
        captures=[capture("/" + "p" * 300 + "/site.pcapng", link_types=["X" * 90, "Y" * 90])],
    ),
    "many captures": full_site(captures=[capture(f"/very/long/folder/name/for/day/{n:05}.pcap") for n in range(2000)]),
}


@pytest.mark.parametrize("name", CROWDED)
@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_overview_fits_the_screen(name: str, width: int) -> None:
    lines = screen(CROWDED[name], width=width).splitlines()
    assert len(lines) <= 38, "\n".join(lines)
    assert max(map(len, lines)) <= width


def test_the_main_facts_are_on_it() -> None:
    shown = screen(full_site())
    for fact in (
        "site.pcapng", "10 min", "3,300 packets", "1.31 GB", "mean 17.4 Mbit/s", "UTC", "  Server  ", "confirmed",
        "probable", "41.6 Mbit/s", "Digital Sentry", "the file ends inside this record", "record 1,204,333",
        "Digifort server, SQL host", "10.20.0.5 ", "12 flows on a component's port", "DSSQL", "▁",
    ):  # fmt: skip
        assert fact in shown, fact


def test_a_component_of_both_grades_says_how_much_is_confirmed() -> None:
    assert "90 % conf." in screen(full_site())


def test_no_vms_is_said_in_a_sentence() -> None:
    assert "No Digifort or Digital Sentry component seen." in screen(neighbours_only())
    assert "No Digifort or Digital Sentry" not in screen(full_site())


def test_an_empty_capture_is_said_in_a_sentence() -> None:
    assert "The capture holds no packets." in screen(FakeReport(components=[]))


def test_what_is_left_out_is_counted_with_the_way_to_see_it() -> None:
    shown = screen(CROWDED["many roles"])
    listed = sum(1 for n in range(200) if f"role {n}\n" in shown)
    assert listed >= 2
    assert f"… {200 - listed} more hosts (--section hosts)" in shown
    assert "--section candidates" in shown


def test_hosts_of_the_same_roles_share_a_line() -> None:
    report = full_site(components=[component("digifort.server", "Digifort Server", 1000, confirmed=1000)])
    line = next(line for line in screen(report).splitlines() if line.endswith("  camera"))
    assert "10.20.1.20, 10.20.1.21 and 22 more" in line


def test_a_product_is_named_once_among_a_host_s_roles() -> None:
    roles = ["Digifort server", "Digifort web server", "Digital Sentry server", "SQL host", "Digifort announcer"]
    shown = screen(full_site(hosts=[host("10.0.0.1", roles, 5, 5, ["digifort"])]))
    assert "10.0.0.1  Digifort server, web server, Digital Sentry server, SQL host, announcer" in shown


def test_a_host_with_more_roles_than_fit_says_so() -> None:
    roles = [f"long role number {n}" for n in range(12)]
    line = next(
        line for line in screen(full_site(hosts=[host("10.0.0.1", roles, 5, 5)])).splitlines() if "HOSTS" in line
    )
    assert line.endswith(f" and {12 - line.count('long role')} more")


def test_no_colour_unless_asked() -> None:
    assert "\x1b" not in screen(full_site())
    coloured = screen(full_site(), colour=True)
    assert "\x1b[32m" in coloured  # confirmed is green


def test_colour_environment_does_not_reach_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "COLORTERM", "TTY_COMPATIBLE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "40")
    assert "\x1b" not in screen(full_site())
    assert max(map(len, screen(full_site()).splitlines())) > 60


def test_an_old_terminal_gets_ascii() -> None:
    assert screen(full_site(), encoding="ascii").isascii()
    assert screen(full_site(), encoding="cp1252").encode("cp1252")


HOSTILE = "a\x1b]0;owned\x07b\r\nc\x9b2Jd\u202ee[bold red]f[/]:smile:"


def test_hostile_text_is_shown_not_obeyed() -> None:
    report = full_site(
        components=[component("digifort.server", HOSTILE, 1000, confirmed=1000)],
        hosts=[host(HOSTILE, [HOSTILE], 5, 5)],
        unclassified=[{"protocol": HOSTILE, "address": HOSTILE, "port": 1, "packets": 1, "wire_bytes": 1, "flows": 1,
                       "share": 0.1, "hint": HOSTILE}],
        learned=[{"component": HOSTILE, "address": HOSTILE, "port": 1, "by": HOSTILE, "instance": HOSTILE,
                  "version": HOSTILE, "first_ns": 0}],
        findings=[finding("error", HOSTILE)],
        captures=[capture(HOSTILE, problems=[problem("x", 1, 1, HOSTILE)], link_types=[HOSTILE])],
    )  # fmt: skip
    for shown in (
        screen(report, width=400),
        text.render(report, ("components", "hosts", "unclassified", "learned", "findings")),
    ):  # type: ignore[arg-type]
        assert not any(c in shown for c in "\x1b\x07\x9b\r\u202e")
        assert "[bold red]f[/]:smile:" in shown
        assert printable(HOSTILE) in shown


def test_several_captures_are_named_together() -> None:
    def head(*paths: str) -> str:
        return screen(full_site(captures=[capture(path) for path in paths])).splitlines()[0]

    assert head("day/a.pcap", "day/b.pcap").startswith("2 captures in day ")
    assert head("a.pcap", "x/b.pcap").startswith("2 captures: a.pcap, b.pcap ")
    assert head("-").startswith("standard input ")


def test_a_moment_has_no_trend() -> None:
    report = full_site()
    assert "TREND" in screen(report)
    report.totals["duration_ns"] = 900_000_000
    assert "TREND" not in screen(report)
