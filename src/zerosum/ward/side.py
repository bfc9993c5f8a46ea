"""One of the two runs of a case, read from its folder, as the film shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from zerosum.diagnosis.rules import diagnose
from zerosum.folder import Folder
from zerosum.pictures import captioned
from zerosum.pictures.look import PAPER

GAP = 16  # pixels between the two
MOST = 3  # names in a caption


class Side:
    """A run that has ended, and the `title` that says what was done to it: "sick: ...", "cured: ..."."""

    def __init__(self, path: Path, title: str):
        folder, self.title = Folder.open(path), title
        self.sheets = {int(file.stem): file for file in sorted(folder.grids.glob("*.png"))}
        self.rows, facts = folder.checked(), folder.facts()
        self.ended, self.rounds = str(facts["ended"]), int(facts["rounds"])
        self.found = [row for row in folder.found() if row["severity"] != "healthy"]
        self.failure = facts.get("broke")

    def named(self, round_: int) -> list[str]:
        """The diseases that the doctor sees at this round, first what it names first; not what has passed by then."""
        failure = self.failure if round_ >= self.rounds else None
        rows = [row for row in self.rows if row["round"] <= round_]
        return [finding.disease for finding in diagnose(rows, failure) if finding.severity != "healthy"]

    def caption(self, round_: int) -> str:
        """Below the sheet: the round, or where the run broke; and what the doctor sees."""
        broken = self.failure is not None and round_ >= self.rounds
        where = f"broke in round {self.rounds:,}" if broken else f"round {round_:,}"
        return " · ".join([where, ", ".join(self.named(round_)[:MOST])]).removesuffix(" · ")

    def at(self, round_: int) -> Image.Image:
        """The last sheet until this round, with the title and the caption below it."""
        last = max(drawn for drawn in self.sheets if drawn <= round_)
        with Image.open(self.sheets[last]) as sheet:
            return captioned(captioned(sheet.convert("RGB"), self.title), self.caption(round_))

    def about(self) -> dict[str, Any]:
        """As a part of ward.json: what the doctor said at each `round`, on evidence since `first`; and what last."""
        told = ("disease", "severity", "first", "round")
        said = [{name: row[name] for name in told} for row in self.found]
        last = self.named(self.rounds)
        return {"title": self.title, "ended": self.ended, "rounds": self.rounds, "findings": said, "last": last}


def beside(left: Image.Image, right: Image.Image) -> Image.Image:
    """Two pictures on one paper."""
    paper = Image.new("RGB", (left.width + GAP + right.width, max(left.height, right.height)), PAPER)
    paper.paste(left)
    paper.paste(right, (left.width + GAP, 0))
    return paper
