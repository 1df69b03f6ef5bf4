"""The verbs of the command: `classify batch`, `classify signatures`, `classify findings`, `classify completion`.

In: their arguments. Out: text on stdout, an exit code (0, 2 for a wrong signature file or an unknown id; of batch all
those of the contract).
Next: `classifier.cli` offers them where no file has their name. What is heavy is imported when a verb runs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from classifier.errors import SignatureError
from classifier.limits import MOST_FLOWS, Limits

if TYPE_CHECKING:
    from classifier.matching.model import SignatureSet

F = TypeVar("F", bound=Callable[..., Any])

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _with_signatures(command: F) -> F:
    return click.option(
        "--signatures",
        "files",
        type=click.Path(exists=True, dir_okay=False),
        multiple=True,
        metavar="FILE",
        help="Also use this signature file; may be repeated.",
    )(command)


def _load(files: tuple[str, ...]) -> SignatureSet:
    from classifier.matching import load_signatures

    return load_signatures(files)


def _hint(wrong: str, names: list[str], meant: Sequence[str] = ()) -> str:
    """`; did you mean A or B?` for a name that is none, empty when nothing is near; `meant`: what surely was."""
    from difflib import get_close_matches

    near = meant or get_close_matches(wrong, names, 3, 0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""


@click.group(
    "signatures",
    invoke_without_command=True,
    context_settings=HELP,
    short_help="List, show or check what can be recognised.",
)
@click.pass_context
def signatures(ctx: click.Context) -> int:
    """What `classify` can recognise, and files that add to it. Without a command: the list."""
    return int(ctx.invoke(list_signatures) or 0) if ctx.invoked_subcommand is None else 0


@signatures.command("list", context_settings=HELP)
@click.option("--services", is_flag=True, help="Also list the services that belong to no product (DNS, HTTPS, ...).")
@_with_signatures
def list_signatures(services: bool = False, files: tuple[str, ...] = ()) -> int:
    """List the components of every product: id, ports and addresses, name."""
    from classifier.render import screen_signatures

    click.echo(screen_signatures.listing(_load(files), services=services), nl=False)
    return 0


def _complete_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    try:
        known = _load(())
    except SignatureError:
        return []
    ids = [item.id for item in known.signatures] + [item.component for item in known.services]
    return [name for name in ids if name.startswith(incomplete)]


@signatures.command("show", context_settings=HELP)
@click.argument("id", shell_complete=_complete_ids)
@_with_signatures
@click.pass_context
def show_signature(ctx: click.Context, id: str, files: tuple[str, ...] = ()) -> int:
    """Show everything about one component: what identifies it, what it needs, the sentences it stands on.

    ID is a component id such as digifort.server or other.dns (see `classify signatures list`).
    """
    from classifier.render import screen_signatures

    known = _load(files)
    signature, service = known.get(id), known.service(id)
    if signature is not None:
        click.echo(screen_signatures.signature(signature, known), nl=False)
    elif service is not None:
        click.echo(screen_signatures.service(service), nl=False)
    else:
        ids = [item.id for item in known.signatures] + [item.component for item in known.services]
        tails = [name for name in ids if name.partition(".")[2] == id.lower()]
        raise click.UsageError(f"no component is called {id!r}{_hint(id, ids, tails)}", ctx)
    return 0


@signatures.command("check", context_settings=HELP)
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path())
def check_signatures(files: tuple[str, ...]) -> int:
    """Check signature files: say what each adds, or what is wrong with it and where (exit code 2).

    A file may build on those before it.
    """
    from classifier.cli import EXIT_OK, EXIT_USAGE, complain
    from classifier.render import screen_signatures

    right: list[str] = []
    for path in files:
        try:
            known = _load((*right, path))
        except SignatureError as error:
            complain(str(error))
            continue
        right.append(path)
        click.echo(screen_signatures.checked(path, known), nl=False)
    return EXIT_OK if len(right) == len(files) else EXIT_USAGE


@signatures.command("stub", context_settings=HELP)
@click.argument("captures", nargs=-1, required=True, metavar="FILE...", type=click.Path())
@_with_signatures
def stub_signature(captures: tuple[str, ...], files: tuple[str, ...] = ()) -> int:
    """Print a signature file to begin with, for the largest service in a capture that nothing owns.

    It loads as it is: classify signatures stub site.pcap > own.toml; classify site.pcap --signatures own.toml
    """
    from classifier import engine
    from classifier.cli import EXIT_OK, EXIT_UNREADABLE, complain
    from classifier.errors import CaptureError

    try:
        report = engine.classify(captures, signatures=files)
    except CaptureError as error:
        complain(str(error))
        return EXIT_UNREADABLE
    for missing in report.unreadable:
        complain(str(missing))
    toml = report.signature_stub()
    if not toml:
        complain("nothing is unclassified that a signature could own")
    click.echo(toml, nl=False)
    return EXIT_UNREADABLE if report.unreadable else EXIT_OK


@click.group(
    "findings",
    invoke_without_command=True,
    context_settings=HELP,
    short_help="List what is checked, or show how a rule decides.",
)
@click.pass_context
def findings(ctx: click.Context) -> int:
    """What `classify` checks. Without a command: the list."""
    return int(ctx.invoke(list_findings) or 0) if ctx.invoked_subcommand is None else 0


@findings.command("list", context_settings=HELP)
def list_findings() -> int:
    """List every rule: code, worst severity, what it is about."""
    from classifier.explain.findings import rule_list
    from classifier.findings import all_rules

    click.echo(rule_list(all_rules()))
    return 0


def _complete_codes(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from classifier.findings import all_rules

    return [rule.code for rule in all_rules() if rule.code.startswith(incomplete.upper())]


@findings.command("show", context_settings=HELP)
@click.argument("code", shell_complete=_complete_codes)
@click.pass_context
def show_finding(ctx: click.Context, code: str) -> int:
    """Show a rule's page: what one sees, why it matters, how it was decided, what to do, when it can be wrong.

    CODE is a rule's code such as DGF-MC-SHARED (see `classify findings list`).
    """
    from classifier.explain.findings import rule_text
    from classifier.findings import all_rules, find_rule

    rule = find_rule(code)
    if rule is None:
        hint = _hint(code.upper(), [item.code for item in all_rules()])
        raise click.UsageError(f"no rule is called {code!r}{hint}", ctx)
    click.echo(rule_text(rule))
    return 0


@click.command("completion", context_settings=HELP, short_help="Print the shell's completion script (bash, zsh, fish).")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> int:
    """Print the script that lets SHELL complete options, sections, signature ids and files.

    \b
    bash:  classify completion bash > ~/.local/share/bash-completion/completions/classify
    zsh:   classify completion zsh > ~/.zfunc/_classify     (a folder of your fpath)
    fish:  classify completion fish > ~/.config/fish/completions/classify.fish
    """
    from click.shell_completion import get_completion_class

    from classifier.cli import COMPLETE_VARIABLE, PROGRAM, classify

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(classify, {}, PROGRAM, COMPLETE_VARIABLE).source())
    return 0


@click.command("batch", context_settings=HELP, short_help="Classify many captures, each on its own, into a dataset.")
@click.argument("captures", nargs=-1, required=True, metavar="DIR|GLOB|FILE|@LIST...", type=click.Path())
@click.option(
    "-o",
    "--output",
    "dataset",
    required=True,
    type=click.Path(file_okay=False),
    metavar="DATASET",
    help="Folder of the dataset: made when it is not there, else continued.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    metavar="NUMBER",
    help="Processes on this machine (default: one per processor core).",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Use the workers of this Dask scheduler instead (tcp://HOST:PORT). They need the same version of classify, "
    "and must see captures and dataset under the same paths.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False),
    metavar="DIR",
    help="Captures are named by their path below DIR, and its first folder is the site. Default: what the first run "
    "into the dataset began with, the folder named or the one that holds all files.",
)
@click.option(
    "--signatures",
    "signature_files",
    type=click.Path(exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Also use this signature file; may be repeated.",
)
@click.option("--map", "maps", multiple=True, metavar="COMPONENT=WHERE", help="As for one capture, for all of them.")
@click.option("--host", "hosts", multiple=True, metavar="ADDRESS=COMPONENT", help="As for one capture.")
@click.option("--set", "thresholds", multiple=True, metavar="CODE.NAME=NUMBER", help="As for one capture.")
@click.option(
    "--bin",
    "bin_width",
    default="1s",
    metavar="SPAN",
    help="Width of the time bins of the table timeline (default: 1s), the same for all captures.",
)
@click.option(
    "--max-flows",
    type=click.IntRange(1, MOST_FLOWS),
    default=Limits.flows,
    metavar="NUMBER",
    help=f"Keep at most this many flows of a capture apart (default: {Limits.flows:,}).",
)
@click.option("--fast", is_flag=True, help="Leave out the quality of media streams and TCP connections.")
@click.option("--prune", is_flag=True, help="Take captures out of the dataset that are not among the inputs.")
@click.option(
    "--recheck",
    is_flag=True,
    help="Read files again that are in the dataset and look unchanged by size and times, to compare their content.",
)
@click.option(
    "--fail-on",
    type=click.Choice(("error", "warning")),
    help="Exit with 1 when a finding of this severity or worse was made in one of the captures.",
)
@click.option("-q", "--quiet", is_flag=True, help="No progress and no remarks on standard error, only errors.")
@click.pass_context
def batch(
    ctx: click.Context,
    captures: tuple[str, ...],
    dataset: str,
    workers: int | None,
    scheduler: str | None,
    root: str | None,
    signature_files: tuple[str, ...],
    maps: tuple[str, ...],
    hosts: tuple[str, ...],
    thresholds: tuple[str, ...],
    bin_width: str,
    max_flows: int,
    fast: bool,
    prune: bool,
    recheck: bool,
    fail_on: str | None,
    quiet: bool,
) -> int:
    """Classify many captures, each on its own, into one dataset of Parquet files (docs/dataset.md), and print which
    products and findings are at which sites.

    Captures are files, folders (with all their folders), quoted patterns, or @LIST: a file with a path per line. Each
    file is a capture of its own, rotated ones too: nothing is followed from one file into the next. The
    first folder of a name is the site. What is in the dataset already and has not changed is left out, so the same
    command continues a run that was stopped. A capture that cannot be read is a row with its problem.
    """
    from classifier import quantities
    from classifier.cli import checked_thresholds, need_extra

    checked_thresholds(thresholds, ctx)
    if scheduler is not None and workers is not None:
        raise click.UsageError("--workers is for this machine, --scheduler has its own: use one of them", ctx)
    if "-" in captures:
        raise click.UsageError("classify batch reads files, not standard input", ctx)
    need_extra("classify batch", "pyarrow")
    if scheduler is not None:
        need_extra("--scheduler", "distributed")
    try:
        quantities.bin_ns(bin_width)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param_hint="--bin") from None
    from classifier.batch import command

    return command.run(
        captures,
        dataset,
        fail_on=fail_on,
        quiet=quiet,
        workers=workers,
        scheduler=scheduler,
        root=root,
        signatures=signature_files,
        maps=maps,
        hosts=hosts,
        thresholds=thresholds,
        bin=bin_width,
        limits=Limits(flows=max_flows, follow=not fast),
        prune=prune,
        recheck=recheck,
    )
