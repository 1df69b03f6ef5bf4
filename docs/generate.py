#!/usr/bin/env python3
"""Write the reference pages from what the program itself uses, so that they cannot be wrong.

    python docs/generate.py            # writes options, columns, dataset, signatures, findings (.md), the picture in
                                       # README.md, and asks what many-captures.md asks
    python docs/generate.py --check    # writes nothing, exits with 1 when a page is out of date

In: the command's options, `columns.TABLES`, the dataset's tables, the signature files. Out: Markdown.
`tests/test_docs.py` runs the check.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

import answers  # noqa: E402
import click  # noqa: E402

from classifier import cli, columns  # noqa: E402
from classifier.batch.schema import DATASET  # noqa: E402
from classifier.flows.table import DIRECTION_BASES, TCP_STATES  # noqa: E402
from classifier.matching import load_signatures  # noqa: E402
from classifier.matching.model import Signature  # noqa: E402
from classifier.render import parquet  # noqa: E402

SAMPLE = "digifort_site.pcapng"
MADE = "<!-- made by docs/generate.py, do not edit -->\n"


def cell(text: object) -> str:
    """Text that cannot end a table cell."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(cell(value) for value in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def option_rows(command: click.Command) -> list[tuple[str, str]]:
    """Every option of a command: how it is written, and its help."""
    rows = []
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
        if isinstance(parameter.type, click.Choice):
            value = f" `{'|'.join(map(str, parameter.type.choices))}`" if len(parameter.type.choices) < 6 else " NAME"
        elif parameter.is_flag or parameter.count:
            value = ""
        else:
            value = f" {parameter.metavar or parameter.type.name.upper()}"
        rows.append((names + value, parameter.help or ""))
    return rows


def commands(command: click.Command, words: str) -> Iterable[tuple[str, click.Command]]:
    """A command and all its verbs, with the words that call them."""
    yield words, command
    for name, verb in sorted(getattr(command, "commands", {}).items()):
        yield from commands(verb, f"{words} {name}")


def paragraphs(text: str) -> str:
    """A docstring as Markdown: paragraphs unwrapped, those that click keeps as they are as code."""
    parts = []
    for part in inspect.cleandoc(text).split("\n\n") if text else []:
        if part.startswith("\b"):
            parts.append("```\n" + part.removeprefix("\b").strip("\n") + "\n```")
        else:
            parts.append(" ".join(part.split()))
    return "\n\n".join(parts)


def options() -> str:
    """The command line."""
    parts = [MADE, "# Options\n"]
    for words, command in commands(cli.classify, cli.PROGRAM):
        if words != cli.PROGRAM:
            parts.append(f"## {words}\n")
        given = [p for p in command.params if isinstance(p, click.Argument)]
        arguments = " ".join(p.metavar or (p.name or "").upper() + ("..." if p.nargs < 0 else "") for p in given)
        parts.append(f"`{' '.join(f'{words} {arguments}'.split())}`\n")
        parts.append(paragraphs(command.help or "") + "\n")
        rows = option_rows(command)
        if rows:
            parts.append(table(("option", "meaning"), rows))
        if words == cli.PROGRAM:
            parts.append(f"## Examples\n\n```\n{cli.EXAMPLES}\n```\n")
            parts.append(f"## Exit codes\n\n```\n{cli.EXIT_CODES}\n```\n")
    return "\n".join(parts)


def column_page() -> str:
    """The public tables."""
    parts = [
        MADE,
        "# Columns\n",
        "Times are nanoseconds since 1970-01-01 UTC in JSON and CSV, `datetime64[ns, UTC]` in DataFrames. Names carry "
        "their unit: `_ns`, `_bytes`, `_bps` (bits per second). *Wire bytes* are original frame lengths; *IP bytes* "
        "the total length of the innermost IP packet; *payload bytes* what follows the transport header.\n",
    ]
    for name, rows in columns.TABLES.items():
        parts.append(f"## {name}\n")
        parts.append(
            table(("column", "kind", "unit", "meaning"), ((f"`{c.name}`", c.kind, c.unit, c.meaning) for c in rows))
        )
    parts.append("## Values\n")
    parts.append("`direction_basis`, strongest first: " + ", ".join(f"`{word}`" for word in DIRECTION_BASES) + ".\n")
    parts.append("`tcp_state`: " + ", ".join(f"`{word}`" for word in TCP_STATES if word) + ".\n")
    names = ", ".join(f"`{word}`" for word in columns.ENCAPSULATIONS if word)
    parts.append(f"`encapsulation` joins these by `+`, outermost first: {names}.\n")
    return "\n".join(parts)


DATASET_HEAD = """# The dataset of `classify batch`

A folder per table, in it a Parquet file per capture, named by `capture_id`, which every table has and which joins them.
A capture without rows in a table has a file there too, so every table has a schema. How to make and ask one is told in
[many-captures.md](many-captures.md).

```
DATASET/captures/ID.parquet       one row: what the file is, what was wrong with it
{folders}
DATASET/_batch/                   not for readers; pandas, Arrow and Spark pass over it
```

**`capture_id`** is made of the capture's name and content (SHA-256, 16 hex digits of each). The name is the path below
the dataset's root, so captures may move as a whole. The same content under two names is two captures, with the same
`sha256`. A file with new content is a new capture; the old one is taken out.

**Whole or not at all.** A capture's row in `captures` is put in last and taken out first. While a run is going on, or
after one was killed, other tables may have rows without it; whoever reads then takes only those with a row in
`captures` (a semi join). The next run removes them.

**The same bytes.** Name, content, options, program and pyarrow being the same, every file is the same to the byte,
however many workers there were and where.

**Types** are those that pandas, DuckDB and Spark read alike. A time is two columns: `first_ns` holds nanoseconds since
1970-01-01 UTC exactly, `first_utc` the same moment as a time stamp in whole microseconds, since Spark reads none in
nanoseconds ([SPARK-40819](https://issues.apache.org/jira/browse/SPARK-40819)). Lists are lists of int64 or string.
Files are compressed by {compression}, in groups of {group:,} rows at most.

**Text** from packets, paths and comments is escaped as on the screen: a control character is `\\x1b`, a byte that is no
text `\\xff`. So is `name`; two names that look alike then still differ in `capture_id`.

`--format parquet` writes one table of one report with the same types, without `capture_id`.
"""


def dataset_page() -> str:
    """The tables of a dataset."""
    folders = "\n".join(
        f"{f'DATASET/{name}/ID.parquet':<33} as in the report" for name in DATASET if name != "captures"
    )
    head = DATASET_HEAD.format(folders=folders, compression=parquet.COMPRESSION, group=parquet.ROW_GROUP)
    parts = [MADE, head]
    for name, rows in DATASET.items():
        parts.append(f"## {name}\n")
        parts.append(table(("column", "type", "unit", "meaning"), (stored_row(each) for each in parquet.stored(rows))))
    return "\n".join(parts)


def stored_row(each: parquet.Stored) -> tuple[str, str, str, str]:
    """A column of a Parquet file."""
    unit, meaning = each.column.unit, each.column.meaning
    if each.part == ("utc",):
        unit, meaning = "", f"`{each.column.name}` in whole microseconds"
    elif each.part:
        unit, meaning = each.part[1].partition("_")[2] or each.part[1], f"of grade {each.part[0]}"
    if each.nullable and "null" not in meaning:
        meaning = f"{meaning}; may be null".lstrip("; ")
    return f"`{each.name}`", f"`{each.type}`", unit, meaning


def support_text(signature: Signature) -> str:
    """What must hold elsewhere in the capture."""
    return "; or ".join(
        f"{support.end} is {' or '.join(hold.text() for hold in support.holds)}" for support in signature.support
    )


def signature_page() -> str:
    """Everything that can be recognised, and where it stands."""
    from classifier.evidence.marks import MARKS

    known = load_signatures()
    parts = [
        MADE,
        "# Signatures\n",
        "What `classify` recognises, from the files in `signatures/`. A *generic* port is used by other programs too "
        "and owns nothing without support. `classify signatures show ID` prints one with all its notes.\n",
    ]
    for product in known.products:
        mine = [s for s in known.signatures if s.product == product.id]
        if not mine:
            continue
        parts.append(f"## {product.name}\n")
        parts.append(
            table(
                ("id", "name", "where", "listens", "port can be changed", "required", "generic", "needs"),
                (
                    (
                        f"`{s.id}`",
                        s.name,
                        s.where(),
                        s.listens,
                        s.changeable,
                        s.required,
                        "yes" if s.generic else "no",
                        support_text(s),
                    )
                    for s in mine
                ),
            )
        )
        for s in mine:
            parts.append(f"### {s.id}\n")
            if s.direction:
                parts.append(f"Direction: {cell(s.direction)}\n")
            if s.carries:
                parts.append(f"Carries: {cell(s.carries)}\n")
            for item in s.excludes:
                what = " ".join(filter(None, (item.transport, item.ports.text())))
                parts.append(f"- not: {cell(f'{what}: {item.reason}' if what else item.reason)}")
            for words, codes in (
                ("content that speaks for it", s.content),
                ("content that makes it probable on any port", s.content_alone),
                ("content that speaks against it", s.contradicted_by),
            ):
                if codes:
                    parts.append(f"- {words}: {', '.join(f'`{code}`' for code in codes)}")
            if s.excludes or s.content or s.contradicted_by:
                parts.append("")
            for source in s.sources:
                quote = f": “{cell(source.quote)}”" if source.quote else ""
                section = f", section {source.section}" if source.section else ""
                title = known.product(s.product)
                document = (title.documents.get(source.document, {}) if title else {}).get("title", source.document)
                parts.append(f"> {cell(document)}{section}{quote}\n")
    parts.append("## Everything else\n")
    parts.append(
        table(
            ("id", "service", "tcp", "udp", "groups", "needs the role", "content"),
            (
                (
                    f"`{s.component}`",
                    s.label,
                    ", ".join(map(str, s.tcp)),
                    ", ".join(map(str, s.udp)),
                    ", ".join(s.groups),
                    "yes" if s.needs_role else "",
                    ", ".join(s.content) + (" (first)" if s.content_first else ""),
                )
                for s in known.services
            ),
        )
    )
    parts.append("## Marks\n")
    parts.append(
        "What payloads show. *proves*: the component, on any port; *confirms*: where port and role, or a host, point "
        "to it already; *fits*: what is expected there, and others send too.\n"
    )
    parts.append(table(("mark", "strength", "means"), ((f"`{m.code}`", m.strength, m.sentence) for m in MARKS)))
    return "\n".join(parts)


def findings_page() -> str:
    """The index of rules; their pages are the program's own."""
    from classifier.findings import all_rules
    from classifier.findings.model import FAMILIES

    parts = [
        MADE,
        "# Findings\n",
        "What `classify` checks after the labels are given. A rule that finds nothing wrong says nothing; one whose "
        "question this capture cannot answer is listed as *skipped*, with the reason. `--section findings` shows all "
        "in full, `--explain CODE` one rule with what it found, `--fail-on error` makes the exit code 1. Thresholds "
        "are settings (`--set CODE.name=number`); all of them are ours unless the table says otherwise.\n",
        "Severities: **error**, something does not work; **warning**, it works badly or soon will not; **info**, worth "
        "knowing. The table says the worst that a rule gives.\n",
    ]
    for family, name in FAMILIES.items():
        mine = [rule for rule in all_rules() if rule.family == family]
        parts.append(f"## {family}: {name}\n")
        link = "../classifier/findings/pages"
        rows = (
            (f"[{r.code}]({link}/{r.code}.md)", r.severity, r.title, "; ".join(need.text for need in r.needs))
            for r in mine
        )
        parts.append(table(("code", "worst", "about", "requires"), rows))
    parts.append("## Settings\n")
    settings = (
        (f"`{rule.code}.{item.name}`", f"{item.default:g} {item.unit}".strip(), item.meaning)
        for rule in all_rules()
        for item in rule.settings
    )
    parts.append(table(("setting", "default", "meaning"), settings))
    return "\n".join(parts)


PICTURE = ("<!-- picture: made by docs/generate.py -->\n", "<!-- end of picture -->\n")


def readme() -> str:
    """README.md with the screen that the command really shows."""
    from classifier import classify
    from classifier.render import text

    screen = text.render(classify(f"captures/{SAMPLE}"), (), colour=False)
    old = (HERE.parent / "README.md").read_text(encoding="utf-8")
    before, _, rest = old.partition(PICTURE[0])
    after = rest.partition(PICTURE[1])[2]
    lines = "\n".join(line.rstrip() for line in screen.strip("\n").split("\n"))
    return f"{before}{PICTURE[0]}```text\n$ classify captures/{SAMPLE}\n{lines}\n```\n{PICTURE[1]}{after}"


PAGES: dict[str, Callable[[], str]] = {
    "options.md": options,
    "columns.md": column_page,
    "dataset.md": dataset_page,
    "many-captures.md": answers.page,
    "signatures.md": signature_page,
    "findings.md": findings_page,
    "../README.md": readme,
}


def stale() -> list[str]:
    """Names of the pages that are not what they should be."""
    return [
        name
        for name, make in PAGES.items()
        if not (HERE / name).exists() or (HERE / name).read_text(encoding="utf-8") != make()
    ]


def main(arguments: list[str]) -> int:
    os.chdir(HERE.parent)  # the picture shows a path
    old = stale()
    if "--check" in arguments:
        if old:
            print(f"out of date: {', '.join(old)}; run python docs/generate.py", file=sys.stderr)
        return bool(old)
    for name in old:
        (HERE / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"wrote docs/{name}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
