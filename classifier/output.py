"""Where the command's output goes: a file, or standard output in its encoding and width.

In: a report and what to show of it, or text. Out: bytes written, or a `click` error that says why not. Next: `cli`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from classifier.report import Report


def write(report: Report, form: str, output: str | None, sections: tuple[str, ...], plain: bool) -> None:
    """The report in one of the forms, to `output` or to standard output; `plain`: tables in ASCII."""
    if form == "json":
        from classifier.render import json

        data = json.render(report, sections)
    elif form == "csv":
        from classifier.render import csv

        data = csv.render(report, sections[0] if sections else "components")
    elif form == "parquet":
        from classifier.render import parquet

        data = parquet.render(report, sections[0] if sections else "components")
    else:
        from classifier.render import text

        if output is None:
            _print_text(report, sections, plain)
            return
        encoding = "ascii" if plain else "utf-8"
        data = text.render(report, sections, encoding=encoding).encode(encoding, "backslashreplace")
    _put(data, output)


def _put(data: bytes, output: str | None) -> None:
    if output is None:
        with _onto_stdout():
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
    else:
        from classifier.render import write_output

        try:
            write_output(output, data)
        except OSError as error:
            raise click.UsageError(f"--output {output!r}: {error.strerror or error}") from None


def _print_text(report: Report, sections: tuple[str, ...], plain: bool) -> None:
    import shutil

    from classifier.progress import is_terminal
    from classifier.render import text

    out = sys.stdout
    encoding = "ascii" if plain else out.encoding or "ascii"
    terminal = is_terminal(out)
    width = shutil.get_terminal_size((text.WIDTH, 40)).columns if terminal else text.WIDTH
    put_text(text.render(report, sections, width=width, colour=terminal and _colours(), encoding=encoding), None)


def put_text(shown: str, output: str | None) -> None:
    """Text to a file as UTF-8, or to stdout in its encoding."""
    if output is not None:
        _put(shown.encode("utf-8", "backslashreplace"), output)
        return
    out = sys.stdout
    encoding = out.encoding or "ascii"
    with _onto_stdout():
        out.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        out.flush()


@contextlib.contextmanager
def _onto_stdout() -> Iterator[None]:
    """A full disk behind stdout is a sentence; a reader that left is `main`'s to notice."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        forget_stdout()
        raise click.ClickException(f"standard output: {error.strerror or error}") from None


def _colours() -> bool:
    """Whether a terminal is to be coloured (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def forget_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush stays quiet too."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
