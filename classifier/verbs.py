"""The verbs of the command: `classify signatures ...` and `classify completion ...`.

In: their arguments. Out: text on stdout, an exit code. Next: `classifier.cli` offers them where no file has their
name. What is heavy is imported when a verb runs.
"""

from __future__ import annotations

import click

from classifier.errors import SignatureError

EXIT_USAGE = 2


@click.group("signatures", invoke_without_command=True, short_help="List, show or check what can be recognised.")
def signatures() -> None:
    """What `classify` can recognise, and files that add to it."""


def _load(paths: tuple[str, ...]) -> object:
    from classifier.matching import load_signatures

    return load_signatures(paths)


@click.command("completion", short_help="Print the shell's completion script (bash, zsh, fish).")
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
def completion(shell: str) -> int:
    """Print the script that lets SHELL complete options, sections and files.

    \b
    bash:  classify completion bash > ~/.local/share/bash-completion/completions/classify
    zsh:   classify completion zsh > ~/.zfunc/_classify       (a folder of your fpath)
    fish:  classify completion fish > ~/.config/fish/completions/classify.fish
    """
    from click.shell_completion import get_completion_class

    from classifier.cli import COMPLETE_VARIABLE, PROGRAM, classify

    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(classify, {}, PROGRAM, COMPLETE_VARIABLE).source())
    return 0


__all__ = ["EXIT_USAGE", "SignatureError", "completion", "signatures"]
