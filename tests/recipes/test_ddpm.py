"""DDPM: the way back with the best guess there is, on data for which it is known; chance, labels and times."""

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

import zerosum
from zerosum import model
from zerosum.data.spec import Images, Points
from zerosum.game import Batch
from zerosum.objectives.diffusion import shares_left
from zerosum.recipes.ddpm import DDPM, PRESETS, Config

MEAN, STD = 0.6, 0.3
SMALL = {"widths": (4, 8), "hidden": (16,)}


class BestGuess(nn.Module):
    """The network that no other beats where every number of the data ~ N(MEAN, STD^2).

    It makes eps_theta = sqrt(1 - a) x_t + sqrt(a) network the mean of eps given x_t.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        a = shares_left(1000, 1e-4, 0.02)[t].to(x)[:, None]
        eps = (1 - a).sqrt() * (x - a.sqrt() * MEAN) / (a * STD**2 + 1 - a)
        return (eps - (1 - a).sqrt() * x) / a.sqrt()


class Note(nn.Module):
    """Guesses 0, or by label from a table, and notes what it was told."""

    def __init__(self, table: Tensor | None = None):
        super().__init__()
        self.unused, self.table = nn.Parameter(torch.zeros(())), table
        self.times: list[int] = []
        self.labels: list[Tensor | None] = []

    def forward(self, x: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        self.times.append(int(t[0]))
        self.labels.append(y)
        return x * 0 + self.unused if self.table is None else self.table[y].view(-1, 1, 1, 1).expand(x.shape)


def game_of(eps: nn.Module, spec: Images | None = None, **config) -> DDPM:
    game = DDPM(Config(**SMALL, **config), spec or Points(2))
    game.eps = eps
    return game


@pytest.mark.parametrize(("eta", "steps"), [(0.0, 1000), (1.0, 1000), (0.5, 250), (0.0, 50)])
def test_the_best_guess_leads_back_to_the_data(eta: float, steps: int) -> None:
    """Mean and spread of a normal law, with any chance on the way; few steps leave it a little too narrow."""
    game = game_of(BestGuess(), sampling_steps=steps, eta=eta)
    x = game.sample(5_000, generator=torch.Generator().manual_seed(0))
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.01)
    assert float(x.std()) == pytest.approx(STD, rel=0.02 if steps == 1000 else 0.1)
    kurtosis = float(((x - x.mean()) / x.std()).pow(4).mean())
    assert kurtosis == pytest.approx(3, abs=0.2)


def test_the_loss_of_the_best_guess_is_what_cannot_be_known() -> None:
    """Var[eps | x_t] = a s^2 / (a s^2 + 1 - a), the mean over t = 1 ... T."""
    torch.manual_seed(0)
    a = shares_left(1000, 1e-4, 0.02)[1:]
    expected = float((a * STD**2 / (a * STD**2 + 1 - a)).mean())
    x = MEAN + STD * torch.randn(200_000, 2)
    assert float(game_of(BestGuess()).noise_loss(Batch(x)).total) == pytest.approx(expected, rel=0.01)


def test_the_first_guess_is_the_more_right_the_more_noise_there_is() -> None:
    """The network begins at 0, and sqrt(1 - a) x_t misses by a eps - sqrt(a (1 - a)) x_0: squared a where x_0^2 = 1."""
    torch.manual_seed(0)
    game = DDPM(Config(**SMALL), Images(1, 16, 16))
    loss = game.noise_loss(Batch(torch.randint(2, (1000, 1, 16, 16)) * 2.0 - 1))
    assert list(loss.terms) == ["simple"]
    assert float(loss.total.detach()) == pytest.approx(float(shares_left(1000, 1e-4, 0.02)[1:].mean()), rel=0.1)


def test_what_the_network_says_is_the_v_of_salimans_and_ho() -> None:
    """v = sqrt(a) eps - sqrt(1 - a) x_0: a network that says it finds the noise, whatever the time."""
    game, spec = game_of(Note()), (50, 2)
    x, noise, t = torch.randn(spec), torch.randn(spec), torch.arange(1, 1001, 20)
    a = game.shares(t, x)
    v = a.sqrt() * noise - (1 - a).sqrt() * x
    game.eps.forward = lambda x, t, y=None: v
    noisy = a.sqrt() * x + (1 - a).sqrt() * noise
    torch.testing.assert_close(game.noise_in(noisy, t, None), noise.double(), rtol=1e-3, atol=1e-4, check_dtype=False)


def test_without_chance_a_sample_is_what_its_noise_generates() -> None:
    game = DDPM(Config(**SMALL, sampling_steps=5), Images(1, 17, 26, ("a", "b")))
    nn.init.normal_(game.eps.exit[2].weight, 0, 0.1)
    y = torch.tensor([0, 1, 1])
    z = game.noise(3, torch.Generator().manual_seed(5))
    x = game.sample(3, y, torch.Generator().manual_seed(5))
    assert not x.requires_grad
    assert game.training
    game.eval()
    assert torch.equal(x, game.generate(z, y).detach())
    assert x.shape == (3, 1, 17, 26)
    assert x.abs().max() <= 1


def test_chance_comes_from_the_given_generator() -> None:
    game = game_of(BestGuess(), sampling_steps=10, eta=1.0)
    before = torch.get_rng_state()
    one, two, other = (game.sample(4, generator=torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state()), "torch's own generator is left alone"
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    z = game.noise(4, torch.Generator().manual_seed(3))
    assert not torch.equal(one, game.generate(z)), "with chance on the way, x_T is not all"
    game.eta = 0.0
    assert torch.equal(game.sample(4, generator=torch.Generator().manual_seed(3)), game.generate(z))


@pytest.mark.parametrize(
    ("last", "count", "times"), [(10, 10, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]), (10, 3, [10, 7, 3]), (1000, 2, [1000, 500])]
)
def test_the_times_on_the_way_back(last: int, count: int, times: list[int]) -> None:
    game = game_of(Note(), diffusion_steps=last, sampling_steps=count)
    game.sample(1)
    assert game.eps.times == times


def test_a_tenth_of_the_labels_is_kept_back() -> None:
    torch.manual_seed(0)
    game = game_of(Note(), Images(1, 8, 8, tuple("abcd")))
    y = torch.randint(4, (20_000,))
    game.noise_loss(Batch(torch.zeros(20_000, 1, 8, 8), y))
    told = game.eps.labels[0]
    assert set(told.unique().tolist()) == {0, 1, 2, 3, 4}
    assert float((told == 4).float().mean()) == pytest.approx(0.1, abs=0.01)
    assert torch.equal(told[told != 4], y[told != 4])


def test_a_guess_is_pushed_away_from_the_one_without_label() -> None:
    table, t = torch.tensor([1.0, 2.0, 5.0]), torch.tensor([7, 7])  # the last: not told
    game = game_of(Note(table), Images(1, 8, 8, ("a", "b")), guidance=1.5)
    x, y = torch.zeros(2, 1, 8, 8), torch.tensor([0, 1])
    root = float(game.shares(t, x)[0].sqrt())  # x = 0: eps_theta = sqrt(a) network

    def guessed(y: Tensor | None) -> list[float]:
        return (game.guess(x, t, y)[:, 0, 0, 0] / root).tolist()

    assert guessed(y) == pytest.approx([2.5 * 1 - 1.5 * 5, 2.5 * 2 - 1.5 * 5])
    assert guessed(None) == pytest.approx([5, 5]), "not told a class, it guesses for all"
    game.guidance = 0.0
    assert guessed(y) == pytest.approx([1, 2])


def test_the_papers_preset() -> None:
    """Section 4 and appendix B: T = 1000, beta 1e-4 to 0.02, 35.7 million parameters on CIFAR-10."""
    fields = {name: value for name, value in PRESETS["paper"].items() if name in Config.model_fields}
    with torch.device("meta"):
        game = DDPM(Config(**fields), Images(3, 32, 32))
    assert round(sum(p.numel() for p in game.parameters()) / 1e6, 1) == 35.7
    config = game.config
    assert (config.diffusion_steps, config.beta_first, config.beta_last) == (1000, 1e-4, 0.02)
    assert (config.sampling_steps, config.eta, config.dropout, config.lr) == (1000, 1.0, 0.1, 2e-4)


def test_more_steps_back_than_there_are_is_refused() -> None:
    with pytest.raises(ValidationError, match="sampling_steps = 20, and there are but diffusion_steps = 10"):
        Config(diffusion_steps=10, sampling_steps=20)


def test_a_trained_model_may_sample_otherwise(tmp_path) -> None:
    """`sampling_steps`, `eta` and `guidance` are read by sampling alone; nothing else may be changed."""
    small = {"widths": (4, 4), "diffusion_steps": 20, "sampling_steps": 4, "limit": 30, "tiles": 4, "batch": 4}
    run = zerosum.train("ddpm", "glyphs", out=tmp_path / "run", length="1 round", **small)
    few, many = zerosum.load(run), model.load(run, changes={"sampling_steps": 20, "eta": 1.0})
    assert (few.game.sampling_steps, many.game.sampling_steps, many.game.eta) == (4, 20, 1.0)
    assert not torch.equal(few.sample(4, seed=0), many.sample(4, seed=0))
    for refused in ("diffusion_steps", "beta_last", "lr", "widths", "nonsense"):
        with pytest.raises(ValueError, match=f"'{refused}' is not read by sampling"):
            model.load(run, changes={refused: 10})
    with pytest.raises(ValueError, match="sampling_steps"):
        model.load(run, changes={"sampling_steps": 21})
