"""The sections of a config that every recipe shares: the data, how it is played, how the machine is used."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, Field, NonNegativeInt, field_validator, model_validator

from zerosum.span import Span


class Data(BaseModel, frozen=True, extra="forbid"):
    """What is learnt from."""

    source: str = Field("glyphs", description="a set by name (glyphs, ring, mnist, ...) or a path")
    size: int | tuple[int, int] | None = Field(None, description="side, or height and width, to fit pictures to")
    channels: Literal[1, 3, 4] | None = Field(None, description="1 gray, 3 colour, 4 colour and alpha; none: as found")
    labels: str | None = Field(None, description="a file of labels, where folders do not tell them")
    limit: int | None = Field(None, ge=1, description="use at most so many examples")
    direction: Literal["AtoB", "BtoA"] = Field("AtoB", description="of pairs: which picture is given, which is made")
    held_out: float | None = Field(
        None, ge=0, le=0.5, description="share kept to judge by, without a test split; none: 10 % of 500 and more"
    )
    cache: Literal["auto", "memory", "disk"] = Field(
        "auto", description="where decoded pictures are held; auto: on disk above a quarter of the memory"
    )

    @field_validator("size", mode="before")
    @classmethod
    def _as_printed(cls, size: Any) -> Any:
        """'128x256' and '128,256' are sizes too."""
        parts = re.split(r"[x,]", size) if isinstance(size, str) else []
        return [int(part) for part in parts] if len(parts) == 2 and all(p.strip().isdigit() for p in parts) else size


class Play(BaseModel, frozen=True, extra="forbid"):
    """How the game is played and watched."""

    seed: int = Field(0, ge=0, lt=2**63, description="every draw follows from it")
    batch: int = Field(64, ge=1, description="examples dealt a turn, to all ranks together")
    pieces: int = Field(1, ge=1, description="a batch is played in so many parts, one after another: less memory")
    length: str = Field("3 minutes", description="when to stop: rounds, kimg, epochs or minutes")
    dynamics: Literal["alternating", "simultaneous", "extragradient"] = Field(
        "alternating", description="order of the turns"
    )
    cooldown: float = Field(0.0, ge=0, le=1, description="last share of the length, in which learning rates fall to 0")
    average: float = Field(0.999, ge=0, lt=1, description="decay a round of the generator's moving average; 0: none")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="of the networks; losses stay in float32. auto: what is faster here, if it learns the same"
    )
    device: str = Field("auto", description="cpu, cuda, cuda:1 ...; auto: a GPU if there is one")
    readings: str = Field("50 rounds", description="how often a line of readings (means) is written")
    pictures: str = Field("1 %", description="how often the fixed noise is pictured")
    tiles: int = Field(64, ge=1, le=400, description="fixed noise vectors pictured")
    quality: str = Field("5 %", description="how often KID and coverage of 500 samples are measured")
    quality_cost: float = Field(0.05, ge=0, le=1, description="of the training time, at most, for that; 0: never")
    stop: Literal["length", "auto"] = Field("length", description="auto: also where the samples get no better")
    checkups: str = Field("2 %", description="how often the doctor looks at players, scores and samples")
    checkup_cost: float = Field(0.03, ge=0, le=1, description="of the training time, at most, for that; 0: never")
    pace: dict[str, float] = Field({}, description="a player's learning rate, times this: {D: 2} (Heusel et al. 2017)")
    augment: float = Field(0.0, ge=0, le=1, description="share of what D sees that is moved, cut, recoloured by chance")
    treat: Literal["advise", "auto"] = Field("advise", description="auto: a sick run goes back and is played otherwise")
    changes: dict[NonNegativeInt, dict[str, Any]] = Field({}, description="what changes at a round: {800: {batch: 9}}")
    checkpoints: str = Field("10 %", description="how often a checkpoint is saved")
    keep: int = Field(2, ge=1, description="checkpoints kept, newest first")

    @model_validator(mode="after")
    def _falling_rates_are_waited_for(self) -> Play:
        if self.stop == "auto" and self.cooldown:
            raise ValueError(
                f"stop = auto ends a run at constant rates; with cooldown = {self.cooldown:g} they fall towards its "
                "end, where samples get better once more: set cooldown to 0, or stop to length"
            )
        return self

    @field_validator("length", "readings", "pictures", "quality", "checkups", "checkpoints", mode="before")
    @classmethod
    def _is_a_span(cls, text: Any, info: Any) -> str:
        span = Span.parse(text)
        if info.field_name == "length" and span.unit == "%":
            raise ValueError("the whole cannot be a share of itself: give rounds, kimg, epochs or minutes")
        if info.field_name == "readings" and (span.unit != "rounds" or span.amount != int(span.amount)):
            raise ValueError("expected a whole number of rounds, so that a resumed run writes the same lines")
        return str(text)


class Speed(BaseModel, frozen=True, extra="forbid"):
    """How the machine is used. None of these changes what is learnt, but for rounding."""

    channels_last: bool = Field(True, description="channels innermost in memory: convolutions are fastest so")
    fused: bool = Field(True, description="one kernel an optimiser's step, and one for the average's")
    one_backward: bool = Field(True, description="simultaneous dynamics: one backward through D serves both losses")
    layers: bool = Field(True, description="on a CPU: convolutions as matrix products, where torch's are slow")
    onednn: bool = Field(True, description="on a CPU: float32 matrix products by oneDNN, where as exact and faster")
    keep_memory: bool = Field(True, description="on a CPU: freed memory is kept for the next round")
    graphs: bool = Field(True, description="on a GPU: a round as one CUDA graph, where it does the same")
    compile: bool = Field(False, description="networks through torch.compile; it wants a C++ compiler, and often loses")
