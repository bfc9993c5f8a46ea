"""VAE: the bound against likelihoods that are known, the optimum that is known, and what comes out."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from zerosum.data.spec import Images, Points
from zerosum.game import Batch
from zerosum.networks.mlp import MLP
from zerosum.play.trainer import Trainer
from zerosum.recipes.vae import PRESETS, VAE, Config

NOISE = 0.5  # standard deviation around the plane
PLANE = torch.tensor([[2.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 0.0]])  # columns at right angles: q can be exact
CENTRE = torch.tensor([0.5, -1.0, 0.0, 2.0])


def truth() -> MultivariateNormal:
    """x = W z + b + noise: probabilistic PCA (Tipping & Bishop 1999), whose likelihood is a normal's."""
    return MultivariateNormal(CENTRE, PLANE @ PLANE.T + NOISE**2 * torch.eye(4))


def linear(lr: float = 1e-3) -> VAE:
    return VAE(Config(latent=2, hidden=(), lr=lr), Points(4))


@torch.no_grad()
def posterior() -> VAE:
    """The linear VAE whose G is the truth and whose E is its posterior N(M^-1 W'(x - b), noise^2 M^-1)."""
    game = linear()
    precision = PLANE.T @ PLANE + NOISE**2 * torch.eye(2)
    back = precision.inverse() @ PLANE.T
    put(game.G, torch.cat([PLANE, torch.zeros(4, 2)]), torch.cat([CENTRE, torch.full((4,), 2 * math.log(NOISE))]))
    variance = NOISE**2 * precision.inverse().diagonal()
    put(game.E, torch.cat([back, torch.zeros(2, 4)]), torch.cat([-back @ CENTRE, variance.log()]))
    return game


def put(network: nn.Module, weight: Tensor, bias: Tensor) -> None:
    (layer,) = network
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)


@torch.no_grad()
def bound_at(game: VAE, x: Tensor, draws: int = 20_000) -> tuple[float, float]:
    """The mean of the bound at one x over many z, and its standard error."""
    likelihood, kl = game.bound(x.expand(draws, -1))
    values = (likelihood - kl).double()
    return float(values.mean()), float(values.std()) / draws**0.5


def test_the_bound_is_the_likelihood_where_q_is_the_posterior() -> None:
    torch.manual_seed(0)
    game = posterior()
    for x in truth().sample((3,)):
        mean, error = bound_at(game, x)
        assert mean == pytest.approx(float(truth().log_prob(x)), abs=5 * error)
        assert error < 0.01


def test_elsewhere_it_is_below_by_the_divergence_from_the_posterior() -> None:
    torch.manual_seed(0)
    exact, game, x = posterior(), posterior(), truth().sample()
    with torch.no_grad():
        game.E[0].bias += torch.tensor([0.3, -0.2, 0.8, -0.4])
        (mean, log_variance), (true, true_log_variance) = game.encode(x[None]), exact.encode(x[None])
    q, p = Normal(mean, (log_variance / 2).exp()), Normal(true, (true_log_variance / 2).exp())
    gap = float(kl_divergence(q, p).sum())
    assert gap > 0.3
    found, error = bound_at(game, x)
    assert found == pytest.approx(float(truth().log_prob(x)) - gap, abs=5 * error)


def test_a_linear_vae_plays_to_the_optimum_of_ppca() -> None:
    """Its bound has one maximum, pPCA's likelihood (Lucas et al. 2019, arXiv:1911.02469): here minus the entropy."""
    torch.manual_seed(0)
    game, law = linear(lr=0.05), truth()
    hands = iter(law.sample((1000, 128)))
    trainer = Trainer(game, lambda: (next(hands), None), average=0.99)
    for played in range(1000):
        trainer.pace(1 - played / 1000)
        trainer.round()
    trainer.collect()
    average = trainer.average.game
    with torch.no_grad():
        x = law.sample((40_000,))
        likelihood, kl = average.bound(x)
        error = float((likelihood - kl - law.log_prob(x)).std()) / 200
        gap = float((law.log_prob(x) - likelihood + kl).mean())
    assert -4 * error < gap < 0.03
    plane, variance = average.G[0].weight[:4].detach(), average.G[0].bias[4:].detach().exp()
    torch.testing.assert_close(plane @ plane.T + variance.diag(), law.covariance_matrix, atol=0.25, rtol=0)


def test_the_bound_of_pictures_is_that_of_torchs_distributions() -> None:
    torch.manual_seed(0)
    game = VAE(Config(width=4, latent=3), Images(1, 9, 12)).eval()
    for p in game.parameters():
        nn.init.normal_(p, 0, 0.3)
    x = torch.randint(2, (5, 1, 9, 12)) * 2.0 - 1
    torch.manual_seed(1)
    likelihood, kl = game.bound(x)
    mean, log_variance = game.encode(x)
    q = Normal(mean, (log_variance / 2).exp())
    torch.manual_seed(1)
    z = q.rsample()
    p = Independent(Bernoulli(probs=(game.generate(z) + 1) / 2, validate_args=False), 3)
    torch.testing.assert_close(likelihood, p.log_prob((x + 1) / 2), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(kl, kl_divergence(q, Normal(torch.zeros(3), 1.0)).sum(1))
    torch.manual_seed(1)
    loss = game.loss(Batch(x))
    assert set(loss.terms) == {"reconstruction", "kl"}
    torch.testing.assert_close(loss.total.detach(), -loss.watched["elbo"])
    torch.testing.assert_close(loss.total, (kl - likelihood).mean())


SPECS = [Images(1, 28, 28), Images(3, 17, 26), Images(3, 32, 32), Points(2)]


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: "x".join(map(str, spec.shape)))
def test_samples_and_reconstructions(spec, dense) -> None:
    game = VAE(Config(width=4, hidden=(8,), latent=3, dense=dense), spec).eval()
    x = torch.rand(4, *spec.shape) * 2 - 1
    made, again = game.sample(4), game.reconstruct(x)
    assert made.shape == again.shape == x.shape
    torch.testing.assert_close(again, game.generate(game.encode(x)[0]))
    if isinstance(spec, Images):
        assert again.abs().max() < 1
    (player,) = game.players()
    assert len(player.parameters()) == len(list(game.parameters()))
    assert set(game.ships) == {name for name, _ in game.named_children()}, "to give pictures back takes both"


def test_the_papers_perceptrons() -> None:
    """Appendix C: one hidden layer of 500 tanh units in each, for 28x28 pictures."""
    fields = {name: value for name, value in PRESETS["paper"].items() if name in Config.model_fields}
    game = VAE(Config(**fields), Images(1, 28, 28))
    for net, sizes in ((game.E, (784, 500, 40)), (game.G, (20, 500, 784))):
        assert isinstance(net, MLP)
        assert [type(layer) for layer in net] == [nn.Linear, nn.Tanh, nn.Linear]
        assert (net[0].in_features, net[0].out_features, net[2].out_features) == sizes


def test_it_learns_to_give_back() -> None:
    """Four blocks on and off: sixteen pictures, log 16 nats of them; a code of that cost, and no doubt what to draw."""
    torch.manual_seed(0)

    def deal() -> tuple[Tensor, None]:
        bits = torch.randint(2, (64, 1, 2, 2)) * 2.0 - 1
        return bits.repeat_interleave(4, 2).repeat_interleave(4, 3), None

    game = VAE(Config(latent=6, dense=True, hidden=(64,), lr=5e-3), Images(1, 8, 8))
    trainer = Trainer(game, deal, average=0.9)
    for _ in range(250):
        trainer.round()
    last = [row["EG.elbo"] for _, row in trainer.collect()[-20:]]
    assert -1.0 > sum(last) / 20 + math.log(16) > -1.5 * math.log(16)
    x, _ = deal()
    with torch.no_grad():
        assert (trainer.average.game.reconstruct(x).sign() == x).float().mean() > 0.999
