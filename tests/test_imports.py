"""Imports point downwards only, and a command pays only for what it uses."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "classifier"

# From the bottom to the top; a module may import from its own layer and from those before it.
LAYERS = (
    ("errors", "columns", "arrays", "plain", "jit", "files", "interrupt", "limits", "quantities", "units"),
    ("capture",),
    ("decode",),
    ("flows",),
    ("kernels",),  # names every kernel that Python calls
    ("machine", "compiling"),
    ("evidence",),
    ("matching",),
    ("tables",),  # what a report counts
    ("findings",),  # rules over a report, which calls them
    ("scapy_layers",),
    ("report", "frames", "explain", "notebook", "plots", "inspect", "schema"),
    ("render",),
    ("progress",),
    ("engine",),
    ("scapy_layers", "inspect"),  # reading single flows again
    ("output",),
    ("cli", "verbs", "batch", "__init__", "__main__"),
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}

# (module, imported, why)
EXCEPTIONS = {
    ("inspect", "engine"): "looking at a flow's packets reads the captures again",
    ("jit", "machine"): "compiled kernels are of all modules; imported when the first of them is asked for",
    ("jit", "compiling"): "the same, for a kernel that only kernels call",
    ("explain", "render"): "text out of a capture is escaped in one way, `render.escape`, which imports nothing",
    ("notebook", "render"): "the same",
    ("report", "inspect"): "a report's methods read its captures again; imported when one of them is called",
}


def layer_name(module: str) -> str:
    """`classifier.flows.table` -> `flows`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it, type-checking blocks left out."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
        for statement in node.body
        for child in ast.walk(statement)
    }
    found = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "classifier"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import; write classifier.…"
            if node.module == "classifier":
                found |= {f"classifier.{alias.name}" for alias in node.names}
            elif node.module and node.module.startswith("classifier."):
                found.add(node.module)
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_signatures" not in path.parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert own in LAYER, f"{own} has no place in LAYERS"
    wrong = []
    for module in sorted(imported(path)):
        other = layer_name(module)
        if (own, other) in EXCEPTIONS:
            continue
        if other == "__init__" and not hasattr(sys.modules.get("classifier"), module.split(".")[-1]):
            continue
        if LAYER.get(other, -1) > LAYER[own]:
            wrong.append(module)
    assert not wrong, f"{own} is below what it imports: {wrong}"


def modules_after(*code: str) -> set[str]:
    """Names of the modules loaded after running `code` in a fresh interpreter."""
    script = "\n".join((*code, "import sys", "print('MODULES', *sorted(sys.modules))"))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("MODULES ")]
    assert lines, done.stderr
    return set(lines[-1].split()[1:])


def run_command(*arguments: str) -> tuple[str, ...]:
    return ("from classifier.cli import main", f"assert main({list(arguments)!r}) == 0")


def test_help_imports_nothing_heavy() -> None:
    loaded = modules_after(*run_command("--help"))
    assert not loaded & {"numpy", "numba", "pandas", "scapy", "pyshark", "matplotlib", "isal", "zstandard"}


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_report_imports_no_pandas_and_no_scapy(form: str) -> None:
    capture = ROOT / "captures" / "digifort_site.pcapng"
    loaded = modules_after(*run_command(str(capture), "--format", form, "-o", "/dev/null"))
    assert not loaded & {"pandas", "scapy", "scapy.all", "pyshark", "matplotlib", "IPython", "numpy.ma"}


def test_a_small_capture_is_read_without_the_compiler() -> None:
    capture = ROOT / "captures" / "digifort_site.pcapng"
    loaded = modules_after(*run_command(str(capture), "--format", "json", "-o", "/dev/null"))
    assert "numba" not in loaded


def test_importing_the_library_loads_nothing_heavy() -> None:
    assert not modules_after("import classifier") & {"numba", "pandas", "scapy", "pyshark", "matplotlib"}


def test_modules_stay_short() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in MODULES
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 550
    }
    assert not long, f"about 400 lines is what a module should have: {long}"
