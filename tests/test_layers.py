"""Who may import whom: imports go down only, and islands know nothing of each other (the syntax trees are walked)."""

import ast
from pathlib import Path

import pytest

import zerosum

ROOT = Path(zerosum.__file__).parent
# Each place, and what of zerosum it may import. A place is a module or a package directly under zerosum.
MAY = {
    "game": set(),
    "objectives": set(),
    "networks": set(),
    "data": set(),
    "metrics": set(),
    "pictures": set(),
    "play": {"game"},
    "recipes": {"game", "objectives", "networks", "data.spec"},
    "settings": {"recipes"},
    "folder": {"play", "settings"},
    "model": {"settings", "recipes", "data.spec", "game", "play"},
    "look": {"pictures", "data", "play"},
    "session": {"folder", "look", "model", "pictures", "settings", "recipes", "data", "game", "play"},
    "run": {"session", "folder", "model", "pictures", "settings", "data", "play"},
    "samples": {"model", "pictures", "data.spec", "play"},
    "progress": {"run", "settings"},
    "cli": {"run", "samples", "progress", "model", "settings", "recipes", "play"},
    "__main__": {"cli"},
    "__init__": {"run", "model", "settings"},
}


def imports(file: Path) -> set[str]:
    """What a file imports of zerosum, as 'place' or 'place.module'."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name} uses a relative import: name the module in full"
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("zerosum.") for name in found if name and name.startswith("zerosum.")}


def place(file: Path) -> str:
    parts = file.relative_to(ROOT).parts
    return parts[0].removesuffix(".py")


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_go_down_only(file: Path) -> None:
    here = place(file)
    assert here in MAY, f"{here} is new: say in MAY what it may import"
    for name in imports(file):
        top = name.partition(".")[0]
        if top in (here, "__version__"):
            continue
        allowed = any(
            name == may or name.startswith(may + ".") or (name == top and may.startswith(top)) for may in MAY[here]
        )
        assert allowed, f"{here} imports {name}; it may import {sorted(MAY[here]) or 'nothing of zerosum'}"


def test_a_wrong_arrow_is_seen() -> None:
    assert imports(ROOT / "play" / "trainer.py") >= {"game", "play.averaging"}
    assert not any(name.startswith("recipes") for f in (ROOT / "play").glob("*.py") for name in imports(f))


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(ROOT)))
def test_files_and_functions_are_short(file: Path) -> None:
    text = file.read_text()
    limit = 150 if place(file) == "recipes" else 250
    assert len(text.splitlines()) <= limit
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert lines <= 40, f"{file.name}:{node.name} has {lines} lines"


def test_losses_are_declared_never_executed() -> None:
    """Nobody but play/ (and a metric that trains its own classifier) steps an optimiser or calls backward."""
    for file in FILES:
        if place(file) in ("play", "metrics"):
            continue
        calls = {
            n.func.attr
            for n in ast.walk(ast.parse(file.read_text()))
            if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
        }
        assert not calls & {"backward", "zero_grad", "cuda"}, file


def test_nothing_waits_for_the_device_inside_a_round() -> None:
    """`.item()`, `.tolist()`, `float(tensor)` are for `collect` alone."""
    for name in ("objectives", "recipes", "networks"):
        for file in (ROOT / name).glob("*.py"):
            calls = {
                n.func.attr
                for n in ast.walk(ast.parse(file.read_text()))
                if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
            }
            assert not calls & {"item", "tolist", "numpy", "cpu"}, file
    for name in ("dynamics", "averaging"):
        tree = ast.parse((ROOT / "play" / f"{name}.py").read_text())
        assert not {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)} & {"item", "tolist", "numpy", "cpu"}
