"""Pictures of ways through the latent space: from sample to sample, and sums of meanings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from zerosum import pictures
from zerosum.data.dataset import Dataset
from zerosum.data.spec import Images
from zerosum.explore.latent import Term, around, parse_sum, sum_of_means, walk
from zerosum.metrics.features import in_blocks, train_classifier
from zerosum.model import Model
from zerosum.samples import free

DRAWN = 1000  # samples among which a label's exemplars are looked for
EXEMPLARS = 3  # of each term (Radford et al. 2015, section 6.3.2)


def interpolate(model: Model, *, rows: int, steps: int, seed: int, label: str | None, out: Path) -> Path:
    """A row a stop: `steps` pictures from it to the next, from the last to the first; as a .png, or as a .gif film.

    Of a model that is told labels, each row keeps the label of its stop, or all the `label` asked for.
    """
    _needs_pictures(model)
    if out.suffix not in (".png", ".gif"):
        raise ValueError(f"a way is drawn as .png or .gif, got {out}: change its ending")
    stops, labels = model.latents(rows, seed, label)
    y = None if labels is None else labels.repeat_interleave(steps)
    images = model.picture(model.game.as_noise(walk(stops, steps)), y).numpy()
    out = free(out)
    if out.suffix == ".png":
        return pictures.save(pictures.grid(images, steps), out, {"seed": str(seed)})
    frames = [pictures.grid(image[None], zoom=max(1, 256 // max(image.shape[:2]))) for image in images]
    with pictures.whole(out) as part:
        frames[0].save(part, "gif", save_all=True, append_images=frames[1:], duration=60, loop=0)
    return out


def add_up(model: Model, text: str, *, seed: int, label: str | None, out: Path, data: Callable[[], Dataset]) -> Path:
    """A column a term, its exemplars above what their mean makes; then what the sum makes, and its neighbours.

    Terms are samples picked by hand (#3,8,12: numbers in `zerosum sample` with the same seed), or labels: then a
    classifier, trained on the labelled `data()`, picks the samples that look most like it. A model that is told labels
    stays in one, `label`. Raises ValueError where a label cannot be looked for, or none to stay in is given.
    """
    _needs_pictures(model)
    if out.suffix != ".png":
        raise ValueError(f"a sum is drawn as .png, got {out}: change its ending")
    terms = parse_sum(text)
    if model.game.classes and label is None:
        raise ValueError("this model is told its labels: say which class the samples and their sum are of (--label)")
    named = [term.label for term in terms if term.label is not None]
    drawn = max([DRAWN * bool(named), *(number + 1 for term in terms for number in term.numbers)])
    z, labels = model.latents(drawn, seed, label)
    picks = _most_like(model, z, named, data()) if named else {}
    exemplars = [z[picks[term.label] if term.label is not None else list(term.numbers)] for term in terms]
    result = sum_of_means([term.sign for term in terms], exemplars)
    rows = max(len(found) for found in exemplars) + 1
    sums = around(result, rows, generator=torch.Generator().manual_seed(seed))
    columns = [*(_column(found, rows) for found in exemplars), torch.cat([sums[1:], sums[:1]])]
    latents = model.game.as_noise(torch.stack(columns, 1).flatten(0, 1))  # row by row
    made = model.picture(latents, None if labels is None else labels[:1].expand(len(latents)))
    sheet = pictures.grid(made.numpy(), len(columns))
    return pictures.save(pictures.captioned(sheet, f"{_spelt(terms)}  =  last column, the means below"), free(out))


def _column(z: Tensor, rows: int) -> Tensor:
    """Exemplars [n d], the last repeated until there are rows - 1, then their mean: [rows d]."""
    return torch.cat([z, z[-1:].expand(rows - 1 - len(z), -1), z.mean(0, keepdim=True)])


def _spelt(terms: list[Term]) -> str:
    return "  ".join(f"{'+' if term.sign > 0 else '-'} {term}" for term in terms).removeprefix("+ ")


def _most_like(model: Model, z: Tensor, labels: list[str], data: Dataset) -> dict[str | None, list[int]]:
    """For each label the numbers of the samples that a classifier is surest of."""
    if model.game.classes:
        raise ValueError("this model is told its labels (sample --label): pick samples by number, such as '#3,8 - #5'")
    if data.labels is None:
        raise ValueError("the data of this run has no labels to look for: pick samples by number, such as '#3,8 - #5'")
    classes = data.spec.classes
    if unknown := [label for label in labels if label not in classes]:
        raise ValueError(f"no label '{unknown[0]}' in the data of this run: it has {', '.join(classes[:30])}")
    net = train_classifier(data.examples, data.labels, len(classes))
    sure = in_blocks(net, model.picture(z).permute(0, 3, 1, 2)).softmax(1)
    return {label: sure[:, classes.index(label)].topk(EXEMPLARS).indices.tolist() for label in labels}


def _needs_pictures(model: Model) -> None:
    if not isinstance(model.spec, Images):
        raise ValueError("a way through the latent space is shown in pictures, and this model makes none from noise")
