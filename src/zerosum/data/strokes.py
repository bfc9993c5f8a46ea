"""How each digit is written: strokes through a few points, and the smooth curves through them.

A digit's box is 1 high, about 0.6 wide, centred on (0, 0), y down. A stroke is a list of points it runs through; where
two strokes name the same point they stay joined however it is moved. All shapes were drawn for this project.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

Point = tuple[float, float]
Stroke = list[Point]

_ONE_STEM: Stroke = [(0.05, -0.5), (0.03, 0.0), (0.0, 0.5)]
_FOUR_STEM: Stroke = [(0.16, -0.42), (0.13, 0.02), (0.08, 0.5)]
_SEVEN_TOP: Stroke = [(-0.28, -0.42), (0.0, -0.46), (0.28, -0.46)]
_SEVEN_LEG: Stroke = [(0.28, -0.46), (0.08, 0.0), (-0.06, 0.5)]

# fmt: off
STYLES: tuple[tuple[list[Stroke], ...], ...] = (  # [digit][style] -> strokes
    (   # 0: closed at the top; begun at the right with an overlap; narrow
        [[(0.04, -0.5), (-0.2, -0.36), (-0.29, 0.0), (-0.2, 0.37), (0.0, 0.5), (0.21, 0.36), (0.29, 0.0), (0.2, -0.36),
          (0.04, -0.5), (-0.06, -0.47)]],
        [[(0.14, -0.38), (-0.04, -0.5), (-0.24, -0.3), (-0.29, 0.1), (-0.14, 0.45), (0.08, 0.48), (0.26, 0.2),
          (0.26, -0.2), (0.1, -0.46), (-0.1, -0.45)]],
        [[(0.02, -0.5), (-0.14, -0.3), (-0.19, 0.05), (-0.12, 0.4), (0.02, 0.5), (0.16, 0.34), (0.2, 0.0),
          (0.14, -0.34), (0.02, -0.5), (-0.08, -0.42)]],
    ),
    (   # 1: a stem; with a flag; with a flag and a foot
        [_ONE_STEM],
        [[(-0.16, -0.28), (-0.04, -0.38), (0.05, -0.5)], _ONE_STEM],
        [[(-0.16, -0.3), (-0.04, -0.39), (0.05, -0.5)], _ONE_STEM, [(-0.2, 0.5), (0.0, 0.5), (0.22, 0.49)]],
    ),
    (   # 2: with a corner; with a loop; swan-necked
        [[(-0.25, -0.3), (-0.1, -0.48), (0.12, -0.47), (0.23, -0.28), (0.14, -0.02), (-0.1, 0.26), (-0.28, 0.47)],
         [(-0.28, 0.47), (0.0, 0.45), (0.29, 0.46)]],
        [[(-0.24, -0.34), (-0.06, -0.5), (0.16, -0.42), (0.2, -0.18), (0.06, 0.12), (-0.12, 0.38), (-0.24, 0.44),
          (-0.27, 0.34), (-0.16, 0.28), (0.02, 0.38), (0.16, 0.47), (0.3, 0.42)]],
        [[(-0.2, -0.4), (0.0, -0.5), (0.2, -0.36), (0.16, -0.1), (-0.06, 0.2), (-0.26, 0.44)],
         [(-0.26, 0.44), (-0.1, 0.38), (0.08, 0.46), (0.27, 0.42)]],
    ),
    (   # 3: two bows; a flat top; a small loop at the waist
        [[(-0.22, -0.38), (-0.02, -0.5), (0.2, -0.38), (0.16, -0.14), (-0.06, -0.03)],
         [(-0.06, -0.03), (0.18, 0.06), (0.25, 0.28), (0.08, 0.48), (-0.12, 0.48), (-0.26, 0.36)]],
        [[(-0.22, -0.46), (0.0, -0.48), (0.22, -0.47)], [(0.22, -0.47), (0.1, -0.28), (-0.03, -0.1)],
         [(-0.03, -0.1), (0.17, -0.05), (0.26, 0.16), (0.15, 0.4), (-0.06, 0.5), (-0.26, 0.4)]],
        [[(-0.22, -0.36), (-0.02, -0.5), (0.19, -0.38), (0.12, -0.12), (-0.04, -0.01), (-0.11, -0.05), (-0.04, -0.1),
          (0.14, -0.01), (0.24, 0.2), (0.1, 0.46), (-0.1, 0.49), (-0.26, 0.38)]],
    ),
    (   # 4: open; closed; one bowl and a stem
        [[(-0.19, -0.46), (-0.23, -0.2), (-0.27, 0.06)], [(-0.27, 0.06), (0.0, 0.06), (0.3, 0.03)], _FOUR_STEM],
        [[(0.12, -0.5), (-0.1, -0.18), (-0.3, 0.14)], [(-0.3, 0.14), (0.0, 0.15), (0.3, 0.13)],
         [(0.12, -0.5), (0.11, 0.0), (0.09, 0.5)]],
        [[(-0.22, -0.44), (-0.26, -0.18), (-0.16, 0.02), (0.04, 0.0), (0.15, -0.12)],
         [(0.21, -0.46), (0.18, -0.18), (0.13, 0.16), (0.08, 0.5)]],
    ),
    (   # 5: neck, belly and a hat; the hat first, in one go
        [[(-0.17, -0.46), (-0.19, -0.26), (-0.21, -0.06)],
         [(-0.21, -0.06), (0.04, -0.14), (0.24, 0.06), (0.2, 0.36), (-0.02, 0.5), (-0.26, 0.4)],
         [(-0.17, -0.46), (0.04, -0.47), (0.27, -0.49)]],
        [[(0.26, -0.48), (0.06, -0.46), (-0.12, -0.46)], [(-0.12, -0.46), (-0.17, -0.28), (-0.17, -0.1)],
         [(-0.17, -0.1), (0.02, -0.1), (0.2, 0.04), (0.22, 0.28), (0.06, 0.46), (-0.14, 0.49), (-0.27, 0.42)]],
    ),
    (   # 6: round-backed; straight-backed with a small bowl
        [[(0.18, -0.5), (-0.06, -0.34), (-0.23, 0.0), (-0.23, 0.3), (-0.06, 0.49), (0.15, 0.42), (0.23, 0.2),
          (0.1, 0.03), (-0.08, 0.08), (-0.21, 0.26)]],
        [[(0.06, -0.5), (-0.1, -0.2), (-0.2, 0.14), (-0.17, 0.38), (0.0, 0.5), (0.18, 0.4), (0.19, 0.2), (0.06, 0.09),
          (-0.08, 0.15), (-0.17, 0.3)]],
    ),
    (   # 7: plain; with a bar; with a serif and a bent leg
        [_SEVEN_TOP, _SEVEN_LEG],
        [_SEVEN_TOP, _SEVEN_LEG, [(-0.15, 0.05), (0.04, 0.03), (0.24, 0.0)]],
        [[(-0.27, -0.28), (-0.26, -0.36), (-0.25, -0.45)], [(-0.25, -0.45), (0.02, -0.44), (0.27, -0.47)],
         [(0.27, -0.47), (0.12, -0.2), (0.02, 0.12), (-0.01, 0.5)]],
    ),
    (   # 8: one stroke that crosses itself; two rings
        [[(0.19, -0.36), (0.02, -0.5), (-0.18, -0.36), (-0.12, -0.14), (0.08, 0.04), (0.21, 0.26), (0.02, 0.5),
          (-0.21, 0.3), (-0.1, 0.08), (0.1, -0.12), (0.19, -0.36)]],
        [[(0.0, -0.04), (-0.17, -0.18), (-0.14, -0.4), (0.02, -0.5), (0.17, -0.38), (0.16, -0.16), (0.0, -0.04)],
         [(0.0, -0.04), (-0.2, 0.12), (-0.19, 0.38), (0.01, 0.5), (0.21, 0.36), (0.2, 0.12), (0.0, -0.04)]],
    ),
    (   # 9: a ring and a straight stem; a hooked tail; the ring left open
        [[(0.2, -0.36), (0.02, -0.5), (-0.18, -0.38), (-0.2, -0.16), (-0.02, -0.04), (0.16, -0.16), (0.2, -0.36)],
         [(0.2, -0.36), (0.17, 0.06), (0.12, 0.5)]],
        [[(0.2, -0.34), (0.03, -0.5), (-0.18, -0.38), (-0.2, -0.16), (-0.02, -0.05), (0.15, -0.15), (0.2, -0.34)],
         [(0.2, -0.34), (0.22, 0.06), (0.15, 0.38), (-0.04, 0.5), (-0.2, 0.4)]],
        [[(0.14, -0.46), (-0.06, -0.48), (-0.21, -0.28), (-0.12, -0.08), (0.07, -0.12), (0.2, -0.34)],
         [(0.2, -0.34), (0.15, 0.04), (0.06, 0.28), (0.02, 0.5)]],
    ),
)
# fmt: on


@dataclass(frozen=True)
class Pen:
    """One style as linear maps from its k control points to p small segments along its strokes."""

    controls: Tensor  # [k 2]: where the points lie before any variation
    middle: Tensor  # [p k]: the segments' midpoints
    along: Tensor  # [p k]: the segments' vectors, end - start


@cache
def pen(digit: int, style: int, places: int) -> Pen:
    """The pen of a style with `places` segments, shared among its strokes by their length."""
    strokes = STYLES[digit][style]
    names = {point: index for index, point in enumerate(dict.fromkeys(point for stroke in strokes for point in stroke))}
    controls = np.array(list(names))
    lengths = [np.linalg.norm(np.diff(np.array(stroke), axis=0), axis=1).sum() for stroke in strokes]
    ends = np.rint(np.cumsum([0, *lengths]) / sum(lengths) * places).astype(int)
    middle, along = np.zeros((places, len(names))), np.zeros((places, len(names)))
    for stroke, start, stop in zip(strokes, ends, ends[1:], strict=False):
        own = [names[point] for point in stroke]
        pick = np.eye(len(names))[own]  # a point may be passed twice
        at = np.linspace(0, 1, 2 * (stop - start) + 1)
        curve = spline(np.array(stroke), at) @ pick
        middle[start:stop], along[start:stop] = curve[1::2], curve[2::2] - curve[:-2:2]
    return Pen(*(torch.tensor(a, dtype=torch.float32) for a in (controls, middle, along)))


def spline(points: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Weights [len(at) k] that turn k points into the natural cubic spline through them, `at` 0..1 of the chord length.

    Between knots t_i, t_i+1 a distance h apart: S = a y_i + b y_i+1 + ((a^3 - a) M_i + (b^3 - b) M_i+1) h^2 / 6,
    b = (t - t_i) / h, a = 1 - b; the second derivatives M solve a tridiagonal system with M = 0 at both ends.
    """
    k = len(points)
    gaps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.concatenate([[0], np.cumsum(gaps)]) / gaps.sum()
    h = np.diff(knots)
    left, right = np.eye(k), np.zeros((k, k))
    for i in range(1, k - 1):
        left[i, i - 1 : i + 2] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
        right[i, i - 1 : i + 2] = 6 / h[i - 1], -6 / h[i - 1] - 6 / h[i], 6 / h[i]
    bend = np.linalg.solve(left, right)  # [k k]: points -> M
    gap = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, k - 2)
    b: np.ndarray = ((at - knots[gap]) / h[gap])[:, None]
    a, scale, unit = 1 - b, h[gap][:, None] ** 2 / 6, np.eye(k)
    weights: np.ndarray = (
        a * unit[gap] + b * unit[gap + 1] + ((a**3 - a) * bend[gap] + (b**3 - b) * bend[gap + 1]) * scale
    )
    return weights
