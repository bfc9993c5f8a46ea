"""How fast each recipe plays beside other loops of the same networks: in one run, in turns, by medians.

    python bench/speed.py dcgan --tensorflow PYTHON     `dcgan --preset mnist28`, batch 256, beside two tutorials' loops
    python bench/speed.py recipes                       every recipe's small run beside its plain loop (play/plain.py)

Every loop has a process of its own, and they take turns (A B C A B C ...). With one thread the clock is CPU time, so
that other work on the machine counts less; the ratio is that of medians. PYTHON is an interpreter with tensorflow-cpu:
without it that row is left out, and said to be.

The PyTorch tutorial loop is what tutorials write: float images through a DataLoader, BCEWithLogitsLoss against ones and
zeros, D on reals, D on detached fakes, step; D on the fakes again, step; `.item()` each step; torch's own layers and
defaults. The TensorFlow one is bench/tutorial_tensorflow.py.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from zerosum.benchmark.loops import Fast, Loop
from zerosum.benchmark.measuring import Benchmark, bench, heading, lines, ratio
from zerosum.benchmark.rivals import Rival, alternate, rival
from zerosum.play.plain import loader
from zerosum.run import data_of
from zerosum.settings import Settings, resolve

from judge import keep

TUTORIAL = "PyTorch tutorial loop"
TENSORFLOW = "TensorFlow tutorial loop"


def plain_networks() -> tuple[nn.Module, nn.Module]:
    """The tutorial's network in torch's own layers."""
    G = nn.Sequential(
        nn.Linear(100, 7 * 7 * 256, bias=False),
        nn.BatchNorm1d(7 * 7 * 256),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, 1, 2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, 1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, 1, bias=False),
        nn.Tanh(),
    )
    D = nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )
    return G, D


class Tutorial(Loop):
    """The PyTorch tutorial's loop of that network."""

    def __init__(self, settings: Settings):
        super().__init__(settings)
        torch.manual_seed(0)
        self.G, self.D = plain_networks()
        self.batch = settings.play.batch
        self.deal = loader(data_of(settings).examples / 127.5 - 1, None, self.batch)
        self.of_D, self.of_G = (torch.optim.Adam(network.parameters(), 1e-4) for network in (self.D, self.G))
        self.criterion = nn.BCEWithLogitsLoss()

    def round(self) -> None:
        (x, _), ones, zeros = self.deal(), torch.ones(self.batch, 1), torch.zeros(self.batch, 1)
        fakes = self.G(torch.randn(self.batch, 100))
        self.D.zero_grad()
        loss: Tensor = self.criterion(self.D(x), ones) + self.criterion(self.D(fakes.detach()), zeros)
        loss.backward()
        self.of_D.step()
        self.G.zero_grad()
        g_loss: Tensor = self.criterion(self.D(fakes), ones)
        g_loss.backward()
        self.of_G.step()
        loss.item(), g_loss.item()


class TensorFlow(Rival):
    """The TensorFlow tutorial's loop, by another interpreter."""

    def __init__(self, python: str, images: Path, batch: int, threads: int):
        program = Path(__file__).with_name("tutorial_tensorflow.py")
        words = [python, str(program), str(images), str(batch), str(threads)]
        self.program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        _, self.version = self._line().split()

    def ask(self, name: str, *given: Any) -> float:
        assert self.program.stdin is not None
        print(given[0], file=self.program.stdin, flush=True)
        return float(self._line())

    def _line(self) -> str:
        assert self.program.stdout is not None
        line: str = self.program.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.program.args} ended without a word")
        return line

    def end(self) -> None:
        assert self.program.stdin is not None
        self.program.stdin.close()
        self.program.wait()


def dcgan(args: argparse.Namespace) -> dict[str, Any]:
    """Rows for `dcgan --preset mnist28`."""
    settings = resolve("dcgan", "mnist28", {"source": args.data})
    full, half = (_in(settings, precision) for precision in ("float32", "bfloat16"))
    told: dict[str, Any] = {"batch": settings.play.batch, "tensorflow": "not measured: no --tensorflow PYTHON"}
    with ExitStack() as open_, tempfile.TemporaryDirectory() as folder:
        rivals: dict[str, Rival] = {TUTORIAL: open_.enter_context(rival(args.threads, Tutorial, settings))}
        if args.tensorflow:
            images = Path(folder) / "images.npy"
            np.save(images, data_of(settings).examples.permute(0, 2, 3, 1).numpy())
            tensorflow = TensorFlow(args.tensorflow, images, settings.play.batch, args.threads)
            open_.callback(tensorflow.end)
            rivals[TENSORFLOW], told["tensorflow"] = tensorflow, tensorflow.version
        rivals["zerosum float32"] = open_.enter_context(rival(args.threads, Fast, full))
        rivals["zerosum bfloat16"] = open_.enter_context(rival(args.threads, Fast, half))
        times = alternate(rivals, args.seconds * len(rivals))
    rows = [
        {"loop": name, "images_per_second": round(settings.play.batch / statistics.median(times[name]), 1)}
        | {f"beside the {base}": ratio(times[base], times[name]) for base in (TUTORIAL, TENSORFLOW) if base in times}
        for name in times
    ]
    for row in rows:
        print(row)
    return told | {"rows": rows}


def recipes(args: argparse.Namespace) -> dict[str, Any]:
    """A row for each recipe, as `zerosum bench` measures it, in the precision that it finds; and in float32."""
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(args.seconds, args.threads, Path(folder) / "bench.json")
        print(*heading(benchmark.kept), sep="\n", flush=True)
        rows = []
        for row in bench(args.recipes, None, benchmark, print):
            if row["precision"] != "float32":
                settings = _in(resolve(row["recipe"], None, {"source": row["data"]}), "float32")
                row["in_float32"] = benchmark.beside_plain(settings)["ratio"]
            rows.append(row)
            print(*lines(row), row.get("in_float32", ""), sep="\n", flush=True)
    return {"peak_gflops": benchmark.kept["peak_gflops"], "rows": rows}


def _in(settings: Settings, precision: str) -> Settings:
    return settings.model_copy(update={"play": settings.play.model_copy(update={"precision": precision})})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["dcgan", "recipes"])
    parser.add_argument("recipes", nargs="*", help="of the recipes: which; none: all")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="of playing, for each loop")
    parser.add_argument("--data", default="mnist", help="for dcgan: any 28x28x1 set; glyphs needs no files")
    parser.add_argument("--tensorflow", metavar="PYTHON", help="an interpreter that has tensorflow-cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    found = {"dcgan": dcgan, "recipes": recipes}[args.what](args)
    print(keep(f"speed_{args.what}_{args.threads}_threads", found))


if __name__ == "__main__":
    main()
