"""Files: whole or not at all, with their metadata; and what the package loads."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from PIL import Image

from zerosum import pictures
from zerosum.pictures import Film, save
from zerosum.pictures.look import PAPER


def shot(film: Film, n: int, size: tuple[int, int] = (48, 32)) -> Film:
    """A film of n gray frames, lighter by 2 a frame."""
    for i in range(n):
        film.add(Image.new("RGB", size, (2 * i,) * 3), i * 10)
    return film


def test_metadata_is_read_back(tmp_path):
    path = save(Image.new("RGB", (4, 4)), tmp_path / "new" / "a.png", {"seed": "0", "round": "500", "who": "Gödel ∀"})
    with Image.open(path) as image:
        assert image.text == {"seed": "0", "round": "500", "who": "Gödel ∀"}


class Torn(Image.Image):
    """An image whose writing fails half way."""

    def save(self, path, *args, **options):
        Path(path).write_bytes(b"half")
        raise OSError("disk full")


def test_a_failing_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = save(Image.new("RGB", (4, 4), PAPER), tmp_path / "a.png")
    old = path.read_bytes()
    with pytest.raises(OSError, match="disk full"):
        save(Torn(), path)
    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_a_film_that_fails_leaves_the_old_film(tmp_path, suffix, monkeypatch):
    film = shot(Film(tmp_path), 3)
    path = film.write(tmp_path / f"film{suffix}")
    old, files = path.read_bytes(), set(tmp_path.iterdir())
    whole = Image.Image.save

    def torn(image, target, *args, **options):
        if not isinstance(target, Path):
            return whole(image, target, *args, **options)
        return Torn.save(image, target)

    monkeypatch.setattr(Image.Image, "save", torn)
    with pytest.raises(OSError, match="disk full"):
        film.write(path)
    assert path.read_bytes() == old
    assert set(tmp_path.iterdir()) == files


def test_a_picture_is_a_png(tmp_path):
    with pytest.raises(ValueError, match=r"expected a name that ends in \.png"):
        save(Image.new("L", (4, 4)), tmp_path / "a.jpg")


@pytest.mark.parametrize("file", sorted(Path(pictures.__file__).parent.glob("*.py")), ids=lambda file: file.name)
def test_matplotlib_is_loaded_late_and_its_global_state_never(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))

    def imported(nodes):
        froms = [
            f"{node.module}.{name.name}" for node in nodes if isinstance(node, ast.ImportFrom) for name in node.names
        ]
        return froms + [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]

    others = [name for name in imported(tree.body) if not name.startswith("zerosum.pictures.")]
    assert not [name for name in others if name.startswith(("matplotlib", "zerosum"))]
    assert not [name for name in imported(ast.walk(tree)) if "pyplot" in name]
