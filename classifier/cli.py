"""The command `classify`: options and exit codes, nothing else.

In: the command line. Out: the report on stdout or in a file, messages and progress on stderr, an exit code.
The work is done by `classifier.engine`, the showing by `classifier.render`; both are imported only when a capture
is read, so that `--help` and completion stay quick (no numpy, numba, pandas, rich here).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from classifier import quantities
from classifier.errors import CaptureError, SignatureError
from classifier.limits import MOST_FLOWS, Limits
from classifier.output import forget_stdout, put_text, write

if TYPE_CHECKING:
    from classifier.report import Report

EXIT_OK = 0
EXIT_FINDING = 1
EXIT_USAGE = 2
EXIT_UNREADABLE = 3
EXIT_DAMAGED = 4
EXIT_BUG = 70
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

PROGRAM = "classify"
COMPLETE_VARIABLE = "_CLASSIFY_COMPLETE"
TRACEBACK_VARIABLE = "CLASSIFIER_TRACEBACK"

# The same as columns.TABLES and render.FORMATS, which are not imported for the sake of a quick --help (tests compare)
SECTIONS = (
    "components", "flows", "hosts", "streams", "multicast", "findings", "ports", "timeline", "protocols", "quality",
    "unclassified", "candidates", "learned", "others",
)  # fmt: skip
FORMATS = ("table", "json", "csv", "parquet")
SUFFIXES = {".json": "json", ".csv": "csv", ".parquet": "parquet", ".txt": "table"}

EXAMPLES = """\
  classify site.pcapng                      the answer on one screen
  classify monday/                          a folder of rotated captures, as one
  classify site.pcap.gz --section flows     every flow, with its label and why
  classify site.pcapng --explain 10.0.0.5   what a host is, and what shows it
  classify site.pcapng -o site.json         the whole report, for programs
  classify site.pcapng -o hosts.csv --section hosts
  tcpdump -i eth0 -w - | classify -         live; Ctrl-C ends it and prints the report
  classify site.pcap --section findings     what is wrong, with proof and what to do
  classify signatures list                  what can be recognised
  classify findings list                    what is checked"""

EXIT_CODES = """\
  0    done
  1    a finding at or above --fail-on
  2    wrong option, signature file or output file
  3    a capture could not be read at all (the others are reported)
  4    read, but a capture is damaged or cut off
  130  ended by Ctrl-C; what was read until then is reported"""


class VerbCommand(click.Command):
    """A command whose first argument may be a verb, unless there is a file of that name."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.commands: dict[str, click.Command] = {}

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the verb when the first argument is one, else our own."""
        if args and args[0] in self.commands and not Path(args[0]).is_file():
            return self.commands[args[0]].make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line for captures, one for the verbs."""
        formatter.write_usage(ctx.command_path, "FILE... [OPTIONS]")
        formatter.write_usage(ctx.command_path, f"{'|'.join(self.commands)} ...", prefix="       ")

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs, examples, exit codes."""
        with formatter.section("Commands (unless a file has that name)"):
            formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in self.commands.items()])
        formatter.write(f"\nExamples:\n{EXAMPLES}\n\nExit codes:\n{EXIT_CODES}\n")


def _complete_files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Files, as the shell completes them; verbs only where no file begins like that."""
    from click.shell_completion import CompletionItem

    command = ctx.command
    verbs = [name for name in getattr(command, "commands", ()) if incomplete and name.startswith(incomplete)]
    if verbs and not ctx.params.get("files") and not any(Path().glob(f"{incomplete}*")):
        return [CompletionItem(name) for name in verbs]
    return [CompletionItem(incomplete, type="file")]


def _show_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from classifier import __version__

    click.echo(f"{PROGRAM} {__version__}")
    ctx.exit()


def _a_span(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return _checked(quantities.bin_ns, value)


def _a_rate(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    return _checked(quantities.rate_bps, value)


def _checked(read: Callable[[str], int], value: str | None) -> str | None:
    """An option's text, when it can be read as what it should be."""
    if value is not None:
        try:
            read(value)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return value


@click.command(
    PROGRAM,
    cls=VerbCommand,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.argument("files", nargs=-1, metavar="FILE...", shell_complete=_complete_files)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Form of the output: a table for people (default), json (one document), csv or parquet (one table).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="PATH",
    help="Write to PATH instead of standard output; its suffix (.json, .csv, .parquet, .txt) chooses the form.",
)
@click.option(
    "--section",
    "sections",
    type=click.Choice(SECTIONS),
    multiple=True,
    metavar="NAME",
    help=f"Show this part in full; may be repeated. One of: {', '.join(SECTIONS)}.",
)
@click.option(
    "--bin",
    "bin_width",
    metavar="SPAN",
    callback=_a_span,
    help="Width of the time bins of --section timeline: 100ms, 1s, 1min, ... (default: one that stays readable, 1s or "
    "more).",
)
@click.option(
    "--link",
    metavar="RATE",
    callback=_a_rate,
    help="Speed of the link that was captured: 100M, 1G, 10G. The report then says how full it was, and in "
    "how many seconds above 60 %.",
)
@click.option("--ascii", "plain", is_flag=True, help="Only ASCII characters in the text, also in curves.")
@click.option(
    "--signatures",
    "signature_files",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Also use this signature file (TOML): a product of your own, or a site's moved ports; may be repeated.",
)
@click.option(
    "--map",
    "maps",
    multiple=True,
    metavar="COMPONENT=WHERE",
    help="A component is elsewhere at this site: digifort.server=9600/tcp (ports and ranges, joined by commas) or "
    "digifort.multicast_media=239.1.2.3 (a group); may be repeated. What the capture contradicts is said.",
)
@click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="ADDRESS=COMPONENT",
    help="This host listens for a component: 10.0.0.5=digifort.server; may be repeated.",
)
@click.option(
    "--explain",
    "place",
    metavar="HOST[:PORT]|CODE",
    help="Instead of the report, say in sentences what a host or one of its ports is, and what shows it; or what a "
    "rule of the findings found, how it decides, and what to do.",
)
@click.option(
    "--set",
    "thresholds",
    multiple=True,
    metavar="CODE.NAME=NUMBER",
    help="A threshold of the findings: DGF-MEDIA-LOSS.share=0.02; may be repeated (classify findings show CODE).",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    help="Exit with 1 when a finding of this severity or worse was made.",
)
@click.option(
    "--max-flows",
    type=click.IntRange(1, MOST_FLOWS),
    default=Limits.flows,
    metavar="NUMBER",
    help=f"Keep at most this many flows apart (default: {Limits.flows:,}; about 600 bytes of memory each). Packets "
    "of further flows are counted together, and the report says so.",
)
@click.option(
    "--fast",
    is_flag=True,
    help="Leave out the quality of media streams and TCP connections (loss, jitter, retransmissions): reading takes "
    "about three quarters of the time, and TCP connections half of the memory. The report says so.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no remarks on standard error, only errors.")
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version, help="Show the version."
)
@click.pass_context
def classify(
    ctx: click.Context,
    files: tuple[str, ...],
    form: str | None,
    output: str | None,
    sections: tuple[str, ...],
    bin_width: str | None,
    link: str | None,
    plain: bool,
    signature_files: tuple[str, ...],
    maps: tuple[str, ...],
    hosts: tuple[str, ...],
    place: str | None,
    thresholds: tuple[str, ...],
    fail_on: str | None,
    max_flows: int,
    fast: bool,
    quiet: bool,
) -> int:
    """Tell which components of a video-management system (Digifort, Pelco Digital Sentry) are in a packet capture,
    who plays which role, and how much bandwidth each takes.

    FILE is a capture (pcap or pcapng, also compressed by gzip, zstd or lz4), a folder of captures, or - for standard
    input. Several are read as one capture, in time order.
    """
    if not files:
        raise click.UsageError("no FILE given: name a capture, or - for standard input", ctx)
    if output == "-":
        output = None
    form = _chosen_form(form, output, sections, ctx)
    _check_input(files, ctx)
    if output is not None:
        _check_output(output, files, ctx)
    if place is not None:
        _check_place(place, form, sections, ctx)
    options = {"signatures": signature_files, "limits": Limits(flows=max_flows, follow=not fast)}
    if maps or hosts:
        from classifier.matching.site import Site

        options["site"] = Site.of(maps, hosts)
    if thresholds:
        options["settings"] = checked_thresholds(thresholds, ctx)
    report, unreadable = _read(files, options, quiet)
    for message in unreadable:
        complain(message)
    if report is None:
        return EXIT_UNREADABLE
    if not quiet and (form != "table" or output is not None or sections):
        _remark_damage(report)
    if bin_width is not None or link is not None:
        report = report.with_timeline(bin=bin_width, link=link)
    if place is None:
        write(report, form, output, sections, plain)
    elif not _explain(report, place, output):
        return EXIT_USAGE
    if _interrupted(report):
        return EXIT_INTERRUPTED
    if unreadable:
        return EXIT_UNREADABLE
    if fail_on is not None:
        from classifier.findings import any_fired

        if any_fired(report.rows("findings"), fail_on):
            return EXIT_FINDING
    return EXIT_OK if report.complete else EXIT_DAMAGED


def _chosen_form(form: str | None, output: str | None, sections: tuple[str, ...], ctx: click.Context) -> str:
    """The output's form, from --format or the suffix of --output."""
    if form is None and output is not None:
        form = SUFFIXES.get(Path(output).suffix.lower())
        if form is None:
            known = ", ".join(SUFFIXES)
            raise click.UsageError(f"cannot tell the form of {output!r}: use one of {known}, or --format", ctx)
    if form in ("csv", "parquet") and len(sections) > 1:
        raise click.UsageError(f"{form} holds one table: name one --section", ctx)
    if form == "parquet":
        need_extra("--format parquet", "pyarrow")
        if output is None and sys.stdout is not None and sys.stdout.isatty():
            raise click.UsageError("parquet is no text for a terminal: name a file with --output", ctx)
    return form or "table"


def need_extra(what: str, *modules: str) -> None:
    """Before hours of reading: a usage error when a library is missing that only some need."""
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        names = " and ".join(missing)
        raise click.UsageError(f"{what} needs {names}: python -m pip install 'vms-classifier[batch]'")


def _check_input(files: tuple[str, ...], ctx: click.Context) -> None:
    if "-" not in files:
        return
    if files.count("-") > 1:
        raise click.UsageError("standard input (-) can be read only once", ctx)
    if sys.stdin is None or sys.stdin.isatty():
        raise click.UsageError("standard input is a terminal: pipe a capture into it (tcpdump -w - | classify -)", ctx)


def _check_output(output: str, files: tuple[str, ...], ctx: click.Context) -> None:
    """Before hours of reading: can the output be written, and is it not the capture itself?"""
    target = Path(output)
    for name in files:
        if name != "-" and target.exists() and Path(name).exists() and target.samefile(name):
            raise click.UsageError(f"--output {output!r} is the capture itself", ctx)
    if not target.parent.is_dir():
        raise click.UsageError(f"--output {output!r}: there is no folder {str(target.parent)!r}", ctx)
    if target.exists() and not target.is_file():
        return  # /dev/stdout, a named pipe
    if not os.access(target.parent, os.W_OK):
        raise click.UsageError(f"--output {output!r}: no permission to write there", ctx)


def checked_thresholds(words: tuple[str, ...], ctx: click.Context) -> Any:
    """The thresholds of findings that `--set` gives, as `classifier.findings.Settings`."""
    from classifier.findings import Settings

    try:
        return Settings.of(words)
    except ValueError as error:
        raise click.UsageError(f"--set {error}", ctx) from None


def _check_place(place: str, form: str, sections: tuple[str, ...], ctx: click.Context) -> None:
    """Before hours of reading: is --explain alone, and does it name a host or a rule?"""
    if form != "table" or sections:
        raise click.UsageError("--explain gives sentences: leave --section and --format out", ctx)
    from classifier.explain.place import parse_place
    from classifier.findings import find_rule

    if find_rule(place) is not None:
        return
    try:
        parse_place(place)
    except ValueError as error:
        raise click.UsageError(f"--explain {place!r}: {error}", ctx) from None


def _explain(report: Report, place: str, output: str | None) -> bool:
    """Show what a host or port is; false, with a sentence, when the capture does not have it."""
    try:
        said = report.explain(place)
    except ValueError as error:
        complain(str(error))
        return False
    put_text(said + "\n", output)
    return True


def _read(files: Sequence[str], options: dict[str, Any], quiet: bool) -> tuple[Report | None, list[str]]:
    """The report of what could be read, and a sentence per file that could not."""
    from classifier import engine, jit
    from classifier.progress import Progress

    wanted = list(files)
    unreadable: list[str] = []
    progress = Progress(sys.stderr, enabled=False if quiet else None)

    def remark(message: str) -> None:
        progress.close()
        complain(message)

    jit.on_compile(None if quiet else remark)
    while wanted:
        try:
            report = engine.classify(wanted, progress=progress, **options)
            return report, unreadable + [_sentence(error) for error in report.unreadable]
        except CaptureError as error:
            unreadable.append(_sentence(error))
            if error.path not in wanted:
                break
            wanted = [name for name in wanted if name != error.path]
        finally:
            progress.close()
    return None, unreadable


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"standard input{text[1:]}" if text.startswith("-: ") else text


def _remark_damage(report: Report) -> None:
    """Name every damaged capture on stderr, when the overview does not."""
    for problem in report.problems:
        complain(problem.message)
    for info in report.captures:
        for problem in info.problems[:3]:
            place = f"record {problem.record}, byte {problem.offset}: " if problem.record > 0 else ""
            complain(f"{info.path}: {place}{problem.message}")
        if info.problem_count > 3:
            complain(f"{info.path}: and {info.problem_count - 3:,} more problems")


def _interrupted(report: Report) -> bool:
    return any(problem.code == "interrupted" for info in report.captures for problem in info.problems)


def complain(message: str) -> None:
    """One line on stderr, safe to show."""
    from classifier.render.escape import printable

    click.echo(f"{PROGRAM}: {printable(message)}", err=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's arguments) and return its exit code; never raises."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except SignatureError as error:
        complain(str(error))
        return EXIT_USAGE
    except BrokenPipeError:  # the reader (head, less) has seen enough
        forget_stdout()
        return EXIT_BROKEN_PIPE
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            import traceback

            traceback.print_exc()
            return EXIT_BUG
        complain(
            f"stopped by an error of its own ({type(error).__name__}: {error}). Please report it, with the output of "
            f"the same command under {TRACEBACK_VARIABLE}=1."
        )
        return EXIT_BUG


def _run(arguments: list[str]) -> int:
    instruction = os.environ.get(COMPLETE_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        return shell_complete(classify, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    try:
        with classify.make_context(PROGRAM, arguments) as ctx:
            code = ctx.command.invoke(ctx)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.ClickException as error:
        _show_usage_error(error)
        code = EXIT_USAGE
    sys.stdout.flush()
    return int(code or 0)


def _show_usage_error(error: click.ClickException) -> None:
    complain(error.format_message())
    ctx = getattr(error, "ctx", None)
    if ctx is not None:
        click.echo(f"Try '{ctx.command_path} --help'.", err=True)


def _add_verbs() -> None:
    from classifier import verbs

    for command in (verbs.batch, verbs.signatures, verbs.findings, verbs.completion):
        assert command.name is not None
        classify.commands[command.name] = command


_add_verbs()
