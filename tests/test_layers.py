"""Who may import whom: imports go down only, and islands know nothing of each other (the syntax trees are walked)."""

import ast
import sys
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
    "span": set(),
    "sections": {"span"},
    "settings": {"recipes", "data.toy", "sections"},
    "folder": {"play", "settings"},
    "stream": {"game"},
    "model": {"stream", "settings", "recipes", "data", "game", "play"},
    "look": {"pictures", "data", "game", "play"},
    "watch": {"metrics", "data", "game"},
    "checkup": {"metrics", "data", "game", "play"},
    "diagnosis": set(),
    "prevention": {"settings", "span", "data", "game", "networks"},
    "consultation": {"diagnosis", "folder"},
    "ward": {"run", "session", "folder", "consultation", "diagnosis", "pictures", "settings", "data", "play"},
    "probe": {"run", "session", "folder", "checkup", "metrics", "game", "play"},
    "doctor": {"checkup", "diagnosis", "data", "play"},
    "table": {"game", "networks", "play", "sections", "settings"},
    "schedule": {"model", "settings", "sections", "data", "table"},
    "forecast": {"model", "schedule", "settings", "span", "data", "play", "table"},
    "seat": {"model", "schedule", "settings", "data", "play", "table"},
    "session": {"seat", "span", "schedule", "folder", "doctor", "forecast", "look", "watch", "model", "pictures"}
    | {"settings", "recipes", "data", "game", "play", "prevention"},
    "treatment": {"session", "schedule", "diagnosis", "prevention", "settings", "data", "game", "play"},
    "run": {"session", "schedule", "treatment", "folder", "forecast", "model", "prevention", "pictures", "settings"}
    | {"data", "play"},
    "ranks": {"run", "session", "seat", "folder", "forecast", "settings", "play"},
    "explore": {"game"},
    "samples": {"model", "pictures", "data.spec", "play"},
    "shards": {"model", "stream", "play"},
    "translations": {"model", "pictures", "data", "game", "samples"},
    "wanderings": {"model", "pictures", "data", "explore", "metrics", "samples"},
    "benchmark": {
        "forecast",
        "seat",
        "run",
        "model",
        "samples",
        "sections",
        "settings",
        "recipes",
        "networks",
        "data",
        "play",
    },
    "judge": {"run", "folder", "model", "stream", "pictures", "settings", "metrics", "data", "game", "play"},
    "terminal": {"run"},
    "progress": {"run", "settings", "span", "consultation"},
    "cli": {
        "forecast",
        "ranks",
        "benchmark",
        "consultation",
        "diagnosis",
        "ward",
        "probe",
        "terminal",
        "run",
        "judge",
        "samples",
        "shards",
        "translations",
        "wanderings",
        "progress",
        "model",
        "settings",
        "recipes",
    },
    "__main__": {"cli"},
    "__init__": {"ranks", "run", "model", "settings", "judge", "consultation"},
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


def called(*trees: ast.AST) -> set[str]:
    """Every call in the trees: `x.item()` is '.item', `float(x)` is 'float'."""
    found = set()
    for node in (n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.Call)):
        if isinstance(node.func, ast.Attribute):
            found.add(f".{node.func.attr}")
        elif isinstance(node.func, ast.Name):
            found.add(node.func.id)
    return found


def functions(file: Path) -> dict[str, ast.FunctionDef]:
    """Functions by name, methods by class and name."""
    tree = ast.parse(file.read_text())
    held = [("", tree)] + [(f"{node.name}.", node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return {f"{of}{node.name}": node for of, body in held for node in body.body if isinstance(node, ast.FunctionDef)}


def test_losses_are_declared_never_executed() -> None:
    """Nobody but play/ (and a metric that trains its own classifier) steps an optimiser or calls backward."""
    forbidden = {".backward", ".zero_grad", ".step", ".cuda"}
    for file in FILES:
        if place(file) not in ("play", "metrics"):
            assert not called(ast.parse(file.read_text())) & forbidden, file
    assert forbidden - {".cuda", ".zero_grad"} <= called(ast.parse((ROOT / "play" / "dynamics.py").read_text()))


WAITS = {".item", ".tolist", ".numpy", ".cpu", "float", "int", "bool", "print"}
SETTING_UP = ("__init__", "__post_init__")


def inside_a_round() -> dict[str, ast.AST]:
    """The functions that run within `Trainer.round`, by place and name."""
    found: dict[str, ast.AST] = {}
    for package in ("objectives", "networks", "recipes"):
        for file in (ROOT / package).glob("*.py"):
            for name, tree in functions(file).items():
                if not name.endswith(SETTING_UP) and (package != "networks" or name.endswith(".forward")):
                    found[f"{package}/{file.name}:{name}"] = tree
    for module in ("dynamics", "averaging"):
        for name, tree in functions(ROOT / "play" / f"{module}.py").items():
            if not name.endswith(SETTING_UP):
                found[f"play/{module}.py:{name}"] = tree
    trainer, game = functions(ROOT / "play" / "trainer.py"), functions(ROOT / "game.py")
    found |= {name: trainer[name] for name in ("Trainer.round", "Trainer.deal")}
    return found | {name: tree for name, tree in game.items() if name.startswith(("Batch.", "Loss.", "Game."))}


def test_nothing_waits_for_the_device_inside_a_round() -> None:
    """`.item()`, `.tolist()`, `float(tensor)` are for `collect` alone; and nobody prints."""
    within = inside_a_round()
    assert within.keys() >= {
        "objectives/penalties.py:squared_slope",
        "networks/blocks.py:Dropout.forward",
        "networks/r3.py:Generator.forward",
        "recipes/r3gan.py:R3GAN.after_round",
        "play/averaging.py:Average.update",
        "play/dynamics.py:Mover.evaluate",
        "Trainer.round",
    }
    for name, tree in within.items():
        assert not called(tree) & WAITS, name
    for package in ("objectives", "recipes", "networks"):
        for file in (ROOT / package).glob("*.py"):
            assert not called(ast.parse(file.read_text())) & {".item", ".tolist", ".numpy", ".cpu"}, file
    assert called(functions(ROOT / "play" / "trainer.py")["Trainer.collect"]) & WAITS, (
        "it is there that a round is waited for"
    )


def test_a_wrong_call_is_seen() -> None:
    source = "def loss(x):\n    print(float(x.mean()), x.sum().item(), int(x), bool(x))\n    optimizer.step()"
    assert called(ast.parse(source)) >= {"print", "float", ".item", "int", "bool", ".step"}


# What else than Python's own each place may import: the core knows torch, islands numbers.
OTHERS = {
    "game": {"torch"},
    "objectives": {"torch", "numpy"},
    "networks": {"torch", "numpy"},
    "metrics": {"torch", "numpy", "safetensors", "onnxruntime"},
    "explore": {"torch", "numpy"},
    "play": {"torch", "safetensors"},
    "recipes": {"torch", "pydantic"},
}


def others(source: str) -> set[str]:
    """What a source imports that is neither Python's own nor zerosum's."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"zerosum"}


@pytest.mark.parametrize("here", OTHERS)
def test_the_core_leans_on_few(here: str) -> None:
    files = [file for file in FILES if place(file) == here]
    assert files
    for file in files:
        assert others(file.read_text()) <= OTHERS[here], file
    assert others("import os, yaml.nodes\nfrom torch import nn\nfrom zerosum import game") == {"yaml", "torch"}
