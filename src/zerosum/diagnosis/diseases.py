"""What a run can suffer from: the likely cause of each disease, and what helps against it, with its source.

The pages beside this module (`pages/NAME.md`) teach the rest: what one sees, why it happens, a picture, the papers.
"""

from __future__ import annotations

from dataclasses import dataclass

from zerosum.diagnosis.finding import Remedy


@dataclass(frozen=True)
class Disease:
    """A name that findings give, what it means in a few words, its likely cause, and remedies, best first."""

    name: str
    title: str
    cause: str
    remedies: tuple[Remedy, ...]


# Papers that stand behind more than one remedy.
GOODFELLOW = "Goodfellow et al. 2014, arXiv:1406.2661"
RADFORD = "Radford et al. 2015, arXiv:1511.06434"
SALIMANS = "Salimans et al. 2016, arXiv:1606.03498"
ARJOVSKY_BOTTOU = "Arjovsky & Bottou 2017, arXiv:1701.04862"
HEUSEL = "Heusel et al. 2017, arXiv:1706.08500 (a learning rate for each player)"
ZHANG = "Zhang et al. 2018, arXiv:1805.08318 (4e-4 for D, 1e-4 for G)"
MESCHEDER_2017 = "Mescheder et al. 2017, arXiv:1705.10461"
MESCHEDER = "Mescheder et al. 2018, arXiv:1801.04406"
LIN = "Lin et al. 2018, arXiv:1712.04086"
GIDEL = "Gidel et al. 2019, arXiv:1807.04740"
BROCK = "Brock et al. 2019, arXiv:1809.11096"
ZHAO = "Zhao et al. 2020, arXiv:2006.10738"
KARRAS = "Karras et al. 2020, arXiv:2006.06676"
ARORA = "Arora et al. 2017, arXiv:1703.00573"
BENGIO = "Bengio 2012, arXiv:1206.5533"
ODENA = "Odena et al. 2016, doi:10.23915/distill.00003"


def _disease(name: str, title: str, cause: str, *remedies: Remedy) -> Disease:
    return Disease(name, title, cause, remedies)


_KNOWN = (
    _disease(
        "mode-collapse",
        "every noise gives nearly the same sample",
        "G has found a sample that D believes, and nothing in its loss asks for others.",
        Remedy("give both players one learning rate, and Adam's beta1 of 0.5", f"{RADFORD}, section 4"),
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("let D judge packs of samples (recipe pacgan)", LIN),
        Remedy("pair each real with a fake (recipe r3gan)", "Huang et al. 2024, arXiv:2501.05441"),
        Remedy("give G more numbers of noise, where it has few", f"{ARJOVSKY_BOTTOU}, lemma 1"),
    ),
    _disease(
        "partial-collapse",
        "some kinds of data are never made",
        "The kinds that G makes already fool this D, which does not see that others are missing.",
        Remedy("give G more numbers of noise, where it has few", f"{ARJOVSKY_BOTTOU}, lemma 1"),
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("let D see statistics of its minibatch", SALIMANS, "minibatch"),
        Remedy("let D judge packs of samples (recipe pacgan)", LIN),
        Remedy("give D more width: a small one cannot see that kinds are missing", ARORA),
    ),
    _disease(
        "mode-hopping",
        "kinds of data are made in turn, each forgotten for the next",
        "G runs to wherever D is weak at the moment; D follows, and forgets what it knew of the last place.",
        Remedy("let G learn four times more slowly, so that D keeps up", f"{GOODFELLOW}, section 6", "slow-maker"),
        Remedy("let D see statistics of its minibatch", SALIMANS, "minibatch"),
        Remedy("penalise D's slope ten times as much", "Thanh-Tung & Tran 2018, arXiv:1807.04015", "stronger-penalty"),
        Remedy("show D older fakes too", "Shrivastava et al. 2017, arXiv:1612.07828, section 2.3"),
    ),
    _disease(
        "vanishing-gradient",
        "D is sure, G's loss is flat there, and G stands still",
        "D is sure of its verdict, and G's loss has no slope where D is sure.",
        Remedy("let G raise log D(G(z)), the non-saturating loss", f"{GOODFELLOW}, section 3", "non-saturating"),
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("add noise to all that D sees, less with time", f"{ARJOVSKY_BOTTOU}, section 3"),
        Remedy("take a loss that does not saturate (recipe wgan_gp)", "Gulrajani et al. 2017, arXiv:1704.00028"),
    ),
    _disease(
        "d-overpowers",
        "D tells real from fake at once, and G does not get nearer",
        "D learns faster than G: it separates the two by any detail, and its slope is no direction for G.",
        Remedy("let G learn four times faster", HEUSEL, "fast-maker"),
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("give D one turn a round, where it has more", f"{GOODFELLOW}, algorithm 1"),
        Remedy("ask D for 0.9 on reals instead of 1", f"{SALIMANS}, section 3.4"),
    ),
    _disease(
        "g-overpowers",
        "D cannot tell poor samples from real ones, and G is not corrected",
        "D is too slow or too small to tell what is wrong with the samples.",
        Remedy("give D more width", ARORA),
        Remedy("let G learn four times more slowly", HEUSEL, "slow-maker"),
        Remedy("give D more turns a round", "Arjovsky et al. 2017, arXiv:1701.07875, algorithm 1"),
        Remedy("give D a learning rate of its own, above G's", ZHANG),
    ),
    _disease(
        "oscillation",
        "the players circle, and nothing settles",
        "Each player answers the other's last move, and nothing damps the circle.",
        Remedy("penalise D's slope ten times as much", f"{MESCHEDER}, theorem 4.1", "stronger-penalty"),
        Remedy("let both learn four times more slowly", MESCHEDER_2017, "slow-both"),
        Remedy("let the players take turns, each answering the newest move", GIDEL, "alternating"),
        Remedy("look ahead before each step (dynamics extragradient)", "Gidel et al. 2019, arXiv:1802.10551"),
        Remedy("take less momentum (Adam's beta1 0.5 or less)", f"{RADFORD}, section 4"),
        Remedy("sample from the average of G's weights", "Yazıcı et al. 2019, arXiv:1806.04498"),
    ),
    _disease(
        "divergence",
        "scores, weights or losses grow without end",
        "Steps overshoot: each answers an error with a greater one.",
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("let both learn four times more slowly", MESCHEDER_2017, "slow-both"),
        Remedy("let the players take turns, each answering the newest move", GIDEL, "alternating"),
        Remedy("bound D's slope by its layers (recipe sngan)", "Miyato et al. 2018, arXiv:1802.05957"),
        Remedy("take the model from before it began", BROCK),
    ),
    _disease(
        "non-finite",
        "a number became infinite or not a number",
        "A number left the range of its type: a step was too long, or its type has too few bits.",
        Remedy("compute in float32", "Micikevicius et al. 2018, arXiv:1710.03740", "full-precision"),
        Remedy("bound the length of a gradient before each step", "Pascanu et al. 2013, arXiv:1211.5063"),
        Remedy("look for such numbers in the data", "IEEE 754-2019, section 6.2: what is computed from a NaN is a NaN"),
    ),
    _disease(
        "dead-start",
        "G's output is blank from the first rounds, and stays so",
        "Units of G are saturated: their slope is 0, and no gradient can move them.",
        Remedy(
            "let both learn sixteen times more slowly: early steps break most",
            "Goyal et al. 2017, arXiv:1706.02677",
            "much-slower",
        ),
        Remedy("let both learn four times more slowly", BENGIO, "slow-both"),
        Remedy("norm the batch in G", f"{RADFORD}, section 3"),
        Remedy("begin with smaller weights, N(0, 0.02^2)", f"{RADFORD}, section 4"),
        Remedy("give G units with a slope on both sides (LeakyReLU)", "Lu et al. 2019, arXiv:1903.06733"),
    ),
    _disease(
        "d-memorises",
        "D knows its training pictures by heart, and takes other real ones for fakes",
        "There are few pictures for a D of this size: it learns each of them instead of what they share.",
        Remedy("shift, recolour and cut what D sees, reals and fakes alike", ZHAO, "augment"),
        Remedy("penalise D's slope ten times as much", MESCHEDER, "stronger-penalty"),
        Remedy("find more data", KARRAS),
        Remedy("drop units of D by chance", "Srivastava et al. 2014, JMLR 15: 1929-1958"),
    ),
    _disease(
        "g-copies",
        "samples are training pictures",
        "There are so few pictures that handing them out is the best that G can do.",
        Remedy("shift, recolour and cut what D sees, reals and fakes alike", ZHAO, "augment"),
        Remedy("find more data: copies fade exponentially with its size", "Feng et al. 2021, arXiv:2202.11765"),
        Remedy("take out duplicates", "Carlini et al. 2023, arXiv:2301.13188 (of diffusion models)"),
        Remedy("add noise to D's gradients, where nobody's picture may leak", "Xie et al. 2018, arXiv:1802.06739"),
    ),
    _disease(
        "batch-statistics-leak",
        "G samples otherwise than it trained",
        "A norm takes its mean from the batch in training and a running mean in sampling, and the two are apart.",
        Remedy("let running statistics follow faster (norm_momentum 0.1)", "Ioffe & Szegedy 2015, arXiv:1502.03167"),
        Remedy("measure the norms' statistics anew at the end", "Wu & Johnson 2021, arXiv:2105.07576"),
        Remedy("norm each picture by itself", "Ulyanov et al. 2016, arXiv:1607.08022"),
        Remedy("norm by a fixed batch", f"{SALIMANS}, section 3.5"),
    ),
    _disease(
        "checkerboard",
        "samples carry a pattern of small squares",
        "G's strides do not divide its kernels, so that some pixels are painted more often than their neighbours.",
        Remedy("make G's kernels a multiple of their stride", ODENA),
        Remedy("enlarge the picture first, then convolve", ODENA),
        Remedy("blur at every change of size, in G and D", "Zhang 2019, arXiv:1904.11486"),
    ),
    _disease(
        "label-ignored",
        "asked for one class, G makes any",
        "D does not punish a wrong label, so that G has no reason to read it.",
        Remedy("mend the labels", "Thekumparampil et al. 2018, arXiv:1811.03205"),
        Remedy("tell D the label by projection", "Miyato & Koyama 2018, arXiv:1802.05637"),
        Remedy("let D name the class as well", "Odena et al. 2017, arXiv:1610.09585"),
    ),
    _disease(
        "identity-shortcut",
        "the translator gives back what it was given",
        "Changing nothing costs nothing in the cycle and identity terms, and the judges do not push hard enough.",
        Remedy("let the judges learn four times faster", ZHANG, "fast-judge"),
        Remedy("weigh the identity term less, or drop it", "Zhu et al. 2017, arXiv:1703.10593, section 5.2"),
        Remedy("weigh the cycle less: it forbids large changes", "Zhao et al. 2020, arXiv:2003.04858"),
    ),
    _disease(
        "learning-rate-too-high",
        "steps are too long to settle",
        "Each step is long beside the weights, and leaps over what it is heading for.",
        Remedy("let both learn sixteen times more slowly", BENGIO, "much-slower"),
        Remedy("let both learn four times more slowly", BENGIO, "slow-both"),
        Remedy("let the rates fall towards the end, by a cooldown", "Smith et al. 2018, arXiv:1711.00489"),
    ),
    _disease(
        "learning-rate-too-low",
        "all is calm, and hardly anything is learnt",
        "Each step is tiny beside the weights: the run would need many times its rounds.",
        Remedy("let both learn sixteen times faster", BENGIO, "much-faster"),
        Remedy("try rates from small to large in one short run", "Smith 2017, arXiv:1506.01186"),
        Remedy("play longer", "Lucic et al. 2018, arXiv:1711.10337"),
    ),
    _disease(
        "wrong-range",
        "real pictures and G's output lie in different ranges of numbers",
        "The data were scaled otherwise than G's last layer gives them: D needs only look at the brightness.",
        Remedy("scale the data to [-1, 1], the range of G's tanh", f"{RADFORD}, section 4"),
        Remedy("end G in a linear layer, where data have no bounds", "Karras et al. 2018, arXiv:1710.10196, table 2"),
    ),
    _disease(
        "healthy",
        "the players are in balance, samples are varied and steady",
        "D finds it hard to tell samples from real pictures, and G makes all kinds of them.",
    ),
)

DISEASES: dict[str, Disease] = {disease.name: disease for disease in _KNOWN}
"""Every name that a finding can give, healthy included."""
