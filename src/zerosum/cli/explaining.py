"""The command that teaches: what can go wrong in training, why, and what helps."""

from __future__ import annotations

import re
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated

import typer

from zerosum.cli.options import Debug, say
from zerosum.terminal import console, one_line_errors

if TYPE_CHECKING:
    from zerosum.diagnosis.diseases import Disease

WIDEST = 100  # columns: longer lines are hard to read


def explain(
    disease: Annotated[list[str] | None, typer.Argument(help="Which, such as mode-collapse; none: list them.")] = None,
    debug: Debug = False,
) -> None:
    """Explain what can go wrong in training: what you see, why it happens, what helps."""
    with one_line_errors(debug):
        from zerosum.diagnosis.diseases import DISEASES

        if not disease:
            wide = max(map(len, DISEASES))
            say([f" {name:<{wide}}  {known.title}" for name, known in DISEASES.items()])
            return
        text = page(find(" ".join(disease)))
        if console.is_terminal:
            from rich.markdown import Markdown

            shown = Markdown(text, code_theme="ansi_dark")
            console.print(shown, width=min(console.width, WIDEST), soft_wrap=False)
        else:
            console.print(text)


def find(name: str) -> Disease:
    """The disease of that name, written with hyphens, underscores or spaces. Raises ValueError with the nearest."""
    from zerosum.diagnosis.diseases import DISEASES
    from zerosum.settings import near

    written = re.sub(r"[\s_-]+", "-", name.strip().lower())
    if written not in DISEASES:
        raise ValueError(f"no disease called '{name}'. {near(written, DISEASES)}All: zerosum explain")
    return DISEASES[written]


def page(disease: Disease) -> str:
    """The page of a disease in Markdown: as it was written, with what the table knows of cause and remedies."""
    written = files("zerosum.diagnosis").joinpath("pages", f"{disease.name}.md").read_text(encoding="utf-8")
    heading, _, sections = written.partition("\n")
    before, reads, rest = sections.strip().partition("## What the doctor reads")
    lead = f"{disease.title[0].upper()}{disease.title[1:]}.\n{disease.cause}"
    return "\n\n".join([heading, lead, before.strip(), "## What helps", _what_helps(disease), reads + rest])


def _what_helps(disease: Disease) -> str:
    """The remedies as a numbered list, and which of them need no person."""
    if not disease.remedies:
        return "Nothing has to be done."
    lines = [f"{i}. {remedy.words} ({remedy.source})" for i, remedy in enumerate(disease.remedies, 1)]
    alone = [str(i) for i, remedy in enumerate(disease.remedies, 1) if remedy.act]
    if alone:
        lines += ["", f"With `--treat auto` a run can do this by itself: {', '.join(alone)}."]
    return "\n".join(lines)
