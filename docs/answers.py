"""The answers in many-captures.md, asked again.

In: the page with its commands and queries. Out: the page with what they answer, in the `text` block behind each. Next:
`generate.py`, whose check notices when an answer has changed.
"""

from __future__ import annotations

import ast
import contextlib
import io
import os
import re
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "many-captures.md"
_BLOCK = re.compile(r"```(console|sql|python)\n(.*?)```\n(?:```text\n.*?```\n)?", re.DOTALL)


def page() -> str:
    """The page, every question asked of captures made for it."""
    from captures.make_many import main as make_many

    space: dict[str, Any] = {}
    text = PAGE.read_text(encoding="utf-8")
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            make_many(Path("captures"))
            return _BLOCK.sub(lambda match: _asked(match[1], match[2], space), text)
        finally:
            os.chdir(before)
            if "db" in space:
                space["db"].close()


def _asked(kind: str, code: str, space: dict[str, Any]) -> str:
    """A block, and behind it what it answers."""
    answer: str | None
    if kind == "console":
        answer = _command(code.strip().removeprefix("$ classify ").split())
    elif kind == "sql":
        cursor = space["db"].execute(code)
        answer = table([column[0] for column in cursor.description], cursor.fetchall())
    else:
        answer = _python(code, space)
    shown = "" if answer is None else f"```text\n{answer.rstrip()}\n```\n"
    return f"```{kind}\n{code}```\n{shown}"


def _command(words: list[str]) -> str:
    from classifier import cli

    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        cli.main(words)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _python(code: str, space: dict[str, Any]) -> str | None:
    """Run a block; what its last line gives, when that is an expression."""
    parsed = ast.parse(code)
    last = parsed.body[-1]
    if not isinstance(last, ast.Expr) or (
        isinstance(last.value, ast.Call) and "execute" in ast.unparse(last.value.func)
    ):
        exec(compile(parsed, "<page>", "exec"), space)
        return None
    parsed.body.pop()
    exec(compile(parsed, "<page>", "exec"), space)
    frame = eval(compile(ast.Expression(last.value), "<page>", "eval"), space)
    return table(list(frame.columns), frame.itertuples(index=False))


def table(names: list[str], rows: Any) -> str:
    """Rows in columns."""
    cells = [names, *([cell(value) for value in row] for row in rows)]
    if len(cells) == 1:
        return f"{'  '.join(names)}\n(no rows)"
    widths = [max(len(row[i]) for row in cells) for i in range(len(names))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(r, widths, strict=True)).rstrip() for r in cells
    )


def cell(value: Any) -> str:
    """One value."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
