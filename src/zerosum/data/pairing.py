"""What a recipe needs, pairs or two domains, of what a source has; and either way round."""

from dataclasses import replace

import torch
from torch import Tensor

from zerosum.data.chance import chance
from zerosum.data.dataset import DataError, Dataset
from zerosum.data.request import Request
from zerosum.data.spec import Domains, Images, Pairs, Points, Spec


def couple(data: Dataset, request: Request) -> Dataset:
    """The data as pairs or domains, if that is what is needed, and in the direction that was asked; or DataError."""
    if request.pairing == "pairs" and not isinstance(data.spec, Pairs):
        raise no_pairs(data.name, _held(data.spec))
    if request.pairing == "domains" and not isinstance(data.spec, Domains):
        data = unpaired(data, request) if isinstance(data.spec, Pairs) else _by_class(data, request)
    if request.direction == "AtoB":
        return data
    if not isinstance(data.spec, Pairs | Domains):
        raise DataError(f"got direction=BtoA for '{data.name}', which is {_held(data.spec)}: leave it out")
    return _turned(data)


def no_pairs(name: str, held: str) -> DataError:
    return DataError(
        f"'{name}' has no pairs, it is {held}: pairs are folders A/ and B/ with the same file names, or pictures of "
        "two side by side, twice as wide as high (left A, right B); --data cityscape has them"
    )


def no_domains(name: str, held: str) -> DataError:
    return DataError(
        f"'{name}' has not two domains, it is {held}: two domains are folders A/ and B/ (or trainA/, trainB/, testA/, "
        "testB/), or any set of exactly two classes; --data striped has them"
    )


def of_classes(classes: tuple[str, ...]) -> str:
    """What a set of pictures holds, in words.

    >>> of_classes(("rose", "tulip")), of_classes(())
    ('pictures of 2 classes (rose, tulip)', 'one set of pictures without labels')
    """
    if not classes:
        return "one set of pictures without labels"
    shown = ", ".join(classes[:3]) + (", ..." if len(classes) > 3 else "")
    return f"pictures of {len(classes)} class{'es' if len(classes) > 1 else ''} ({shown})"


def _held(spec: Spec) -> str:
    if isinstance(spec, Points):
        return "points"
    if isinstance(spec, Domains):
        return "two domains whose pictures do not belong together"
    return of_classes(spec.classes)


def unpaired(data: Dataset, request: Request) -> Dataset:
    """Pairs as two domains: B in another order, which `factors["partner"]` undoes; the test's stays side by side.

    With partner = p, the picture B[p[i]] belongs to A[i].
    """
    assert isinstance(data.spec, Pairs)
    assert data.partners is not None
    partner = torch.arange(len(data))
    partners = data.partners
    if request.split == "train":
        order = torch.randperm(len(data), generator=chance("partners", request.seed))
        partners, partner = partners[order], order.argsort()
    factors = (data.factors or {}) | {"partner": partner}
    return replace(data, spec=Domains(data.spec.a, data.spec.b), partners=partners, factors=factors)


def _by_class(data: Dataset, request: Request) -> Dataset:
    """A labelled set of two classes as two domains: class 0 is A, class 1 is B."""
    labels, classes = data.labels, data.spec.classes
    if labels is None or len(classes) != 2:
        raise no_domains(data.name, _held(data.spec))
    if len(there := labels.unique().tolist()) != 2:
        raise no_domains(data.name, of_classes(tuple(classes[label] for label in there)))
    a, b = (lean(data.examples[labels == label], request.channels) for label in (0, 1))
    spec = Domains(Images(*a.shape[1:]), Images(*b.shape[1:]))
    plain = tuple(name.upper() for name in classes) == ("A", "B")
    notes = data.notes if plain else (*data.notes, f"A is {classes[0]}, B is {classes[1]}")
    return replace(data, spec=spec, examples=a, labels=None, notes=notes, partners=b)


def lean(images: Tensor, channels: int | None) -> Tensor:
    """Gray pictures that are held in colour as gray ones, unless so many channels were asked for: uint8 [n c h w]."""
    gray = channels is None and images.shape[1] == 3 and bool((images == images[:, :1]).all())
    return images[:, :1].contiguous() if gray else images


def _turned(data: Dataset) -> Dataset:
    """B to A: what was the partner is the example. Factors follow the pictures they describe."""
    assert isinstance(data.spec, Pairs | Domains)
    assert data.partners is not None
    spec = replace(data.spec, a=data.spec.b, b=data.spec.a)
    factors = data.factors
    if factors and "partner" in factors:
        back = factors["partner"].argsort()
        factors = {name: factor[back] for name, factor in factors.items()} | {"partner": back}
    return replace(data, spec=spec, examples=data.partners, partners=data.examples, factors=factors)
