"""Treats one run: found ill, it goes back to its last healthy checkpoint and is played with one thing changed.

After a trial it is judged whether that helped. If not, it is undone, and the next remedy tried. What is changed stands
in `play.changes`, what was tried in treatments.jsonl; a resumed run reads both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.finding import Remedy
from zerosum.play.trainer import NonFinite
from zerosum.prevention.opening import Opening
from zerosum.schedule import in_force, same_networks
from zerosum.session import Session, Show
from zerosum.settings import Settings
from zerosum.treatment.acts import changed, changes, value_of
from zerosum.treatment.trial import LOOKS, Trial, distance

TRIES = 3  # a run
HELD = 2  # checkpoints kept from when nothing severe was found: evidence is older than its finding
GRAVE = ("severe", "fatal")


class Sick(Exception):
    """The run cannot go on as it is: something is to be changed, or taken back."""


class Treatment:
    """Watches over a session; `tell` hears in words of all that is done."""

    def __init__(self, session: Session, tell: Callable[[str], None]):
        self.session, self.tell = session, tell
        self.trials = [Trial(**row) for row in session.folder.tries()]
        self.looks = len(session.doctor.rows)
        session.checkpoints.held = set(self._saved())

    @property
    def trial(self) -> Trial | None:
        """The one that is on."""
        return next((trial for trial in self.trials if trial.verdict is None), None)

    def play(self, show: Show) -> str | None:
        """Play on. Returns how the run ended; None where it did not, but has gone back.

        Raises NonFinite where the game breaks and nothing is left to try.
        """
        try:
            ended = self.session.play(lambda row, progress: self._watched(show, row, progress))
        except Sick:
            self.act()
            return None
        except NonFinite as error:
            for finding in self.session.doctor.conclude(str(error)):
                self.session.folder.add_finding(finding.as_row())
            if self.trial is None and self.next(self.session.written) is None:
                raise
            self.act()
            return None
        if self.trial is not None and ended == "finished":
            self._close(replace(self.trial, verdict="the run ended before its trial did: kept"))
        return ended

    def consider(self) -> None:
        """After a checkup: is there something to treat, or a trial to judge? Raises Sick if something must change."""
        trial, severe = self.trial, self._severe()
        if not severe:
            self.session.checkpoints.held = {*self._saved()[-HELD:], *([trial.back] if trial else [])}
        if trial is None:
            if self.next(self.session.written) is not None:
                raise Sick
        elif trial.over(rows := self._since(trial.back)):
            judged = trial.judged(rows, severe)
            if not judged.helped:
                raise Sick
            self._close(judged)

    def act(self) -> None:
        """Go back; take out of the settings what did not help, and put in what is tried next."""
        failed, settings = self.trial, self.session.written
        if failed is not None:
            self._close(failed.judged(self._since(failed.back), self._severe()))
            settings = changed(settings, {"play.changes": failed.before})
        trial = self.next(settings, failed)
        back = trial.back if trial else failed.back if failed else 0
        place = self._go_back(back)
        if trial is not None:
            self.trials.append(replace(trial, abandoned=place.name))
            settings = changed(settings, {"play.changes": trial.changes()})
            self.tell(trial.told())
        else:
            self.tell(f"nothing is left to try: back to round {back:,}, and on as before")
        self._write()
        self.session.folder.keep_settings(settings)
        self.session.sit_down(settings)
        if self.session.checkpoints.paths():
            self.session.load()
        self.looks = len(self.session.doctor.rows)

    def next(self, settings: Settings, failed: Trial | None = None) -> Trial | None:
        """What to try on a run of these settings: the best remedy that applies and has not failed, of what is found.

        After a trial that failed: of what that was for. None if there is none, or three were tried.
        """
        if len(self.trials) >= TRIES:
            return None
        for disease in [failed.disease] if failed else self._severe():
            without = {trial.act for trial in self.trials if trial.disease == disease and trial.helped is False}
            for remedy in DISEASES[disease].remedies:
                if remedy.act is not None and remedy.act not in without:
                    trial = self._plan(settings, disease, remedy, failed)
                    if trial is not None:
                        return trial
        return None

    def _plan(self, settings: Settings, disease: str, remedy: Remedy, failed: Trial | None) -> Trial | None:
        """This remedy as a trial, from the last checkpoint before the disease; from the start if networks change."""
        session, rows = self.session, self.session.doctor.rows
        back = failed.back if failed else self._healthy(disease)
        now = in_force(settings, back)
        values = changes(remedy.act or "", Opening(now, session.game, session.dataset))
        if not values:
            return None
        looks = failed.looks if failed else len(self._since(back))
        if back and not same_networks(now, changed(now, values), session.dataset.spec):
            back, looks = 0, looks + sum(row["round"] <= back for row in rows)
        return Trial(
            disease=disease,
            round=failed.round if failed else session.trainer.rounds,
            act=remedy.act or "",
            words=remedy.words,
            source=remedy.source,
            changed={key: [value_of(now, key), value] for key, value in values.items()},
            back=back,
            looks=max(LOOKS, looks),
            distance=failed.distance if failed else distance(self._since(back) or rows),
            before={str(round_): dict(was) for round_, was in settings.play.changes.items()},
        )

    def _healthy(self, disease: str) -> int:
        """The round of the newest checkpoint from before the disease began; 0 if there is none."""
        first = next(finding.first for finding in self.session.doctor.findings if finding.disease == disease)
        return max((round_ for round_ in self._saved() if round_ < first), default=0)

    def _go_back(self, back: int) -> Path:
        """Put away what was written since; the best model too, if it is from there."""
        folder, best = self.session.folder, self.session.watch.best
        place = folder.abandon(back)
        if best is not None and best.round > back:
            folder.best.replace(place / folder.best.name)
        self.session.checkpoints.held = {back} | set(self._saved()[-HELD:])
        return place

    def _watched(self, show: Show, row: dict[str, float], progress: dict[str, float]) -> None:
        show(row, progress)
        if len(self.session.doctor.rows) > self.looks and not self.session.stopped:
            self.looks = len(self.session.doctor.rows)
            self.consider()

    def _close(self, judged: Trial) -> None:
        """The trial is over."""
        self.trials[-1] = judged
        self._write()
        self.tell(f"round {self.session.trainer.rounds:,}: {judged.act}: {judged.verdict}")

    def _write(self) -> None:
        self.session.folder.keep_tries([trial.as_row() for trial in self.trials])

    def _severe(self) -> list[str]:
        return [finding.disease for finding in self.session.doctor.findings if finding.severity in GRAVE]

    def _since(self, back: int) -> list[dict[str, float]]:
        """The checkups of later rounds than this."""
        return [row for row in self.session.doctor.rows if row["round"] > back]

    def _saved(self) -> list[int]:
        """The rounds of the checkpoints, oldest first."""
        return [int(path.stem) for path in self.session.checkpoints.paths()]
