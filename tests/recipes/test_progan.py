"""Progressive growing as a game: its losses by hand, its schedule, and what a fade must not disturb."""

import copy

import pytest
import torch

from zerosum import model
from zerosum.data.spec import Images
from zerosum.game import Batch
from zerosum.networks.progressive import enlarge, level_after, shrink
from zerosum.play.trainer import Trainer
from zerosum.recipes.progan import PRESETS, Config, ProGAN

SHAPES = [Images(1, 32, 32), Images(3, 64, 64), Images(1, 17, 26, ("a", "b"))]
SMALL = {"width": 4, "widest": 8, "latent": 5}


def build(spec: Images = SHAPES[0], **changes) -> ProGAN:
    torch.manual_seed(0)
    return ProGAN(Config(**SMALL | changes), spec)


def play(spec: Images = SHAPES[0], n: int = 6, **changes) -> Trainer:
    game, chance = build(spec, **changes), torch.Generator().manual_seed(0)
    return Trainer(game, lambda: (torch.rand(n, *spec.shape, generator=chance) * 2 - 1, None), average=0.5)


def at(game: ProGAN, level: float) -> ProGAN:
    game.G.level = game.D.level = level
    return game


@pytest.mark.parametrize("level", [0.0, 1.0, 1.25, 3.0])
def test_losses_are_the_papers(level) -> None:
    game = at(build(weight=7.0, drift=50.0), level)
    with torch.no_grad():
        for p in game.parameters():
            p.add_(0.3 * torch.randn_like(p))
    x, z = torch.rand(6, 1, 32, 32) * 2 - 1, torch.randn(6, 5)
    game.noise = lambda n, generator=None: z

    side = {0.0: 4, 1.0: 8, 1.25: 16, 3.0: 32}[level]
    seen, fakes = shrink(x, (side, side)), game.G(z)
    if level == 1.25:
        seen = 0.75 * enlarge(shrink(x, (8, 8)), [(16, 16)]) + 0.25 * seen
    torch.manual_seed(5)
    t = torch.rand(6, 1, 1, 1)
    between = enlarge(seen + t * (fakes.detach() - seen), [(8, 8), (16, 16), (32, 32)]).requires_grad_()
    (slope,) = torch.autograd.grad(game.D(between).sum(), between, create_graph=True)
    norm = slope.square().sum((1, 2, 3)).sqrt()
    real, fake = game.D(seen), game.D(fakes)
    expected = {
        "adversarial": fake.mean() - real.mean(),
        "penalty": 7 * ((norm - 1) ** 2).mean(),
        "drift": 50 * (real**2).mean(),
    }

    torch.manual_seed(5)
    d, g = (player.loss(Batch(x)) for player in game.players())
    assert d.terms.keys() == expected.keys()
    for name, value in expected.items():
        assert float(value.detach().abs()) > 1e-3
        torch.testing.assert_close(d.terms[name], value, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(g.total, -fake.mean(), rtol=1e-4, atol=1e-5)


def test_the_game_counts_pictures_and_grows() -> None:
    """12 steady, 12 fading, in hands of 6: the averaged copy plays at the level of the round that it has followed."""
    trainer = play(stage_kimg=0.012, fade_kimg=0.012)
    levels, averaged = [], []
    for _ in range(14):
        trainer.round()
        assert trainer.game.G.level == trainer.game.D.level
        levels.append(trainer.game.G.level)
        averaged.append(trainer.average.game.G.level)
        assert trainer.average.game.sample(2).shape == trainer.game.sample(2).shape == (2, 1, 32, 32)
    assert levels == [0, 0, 0.5, 1, 1, 1, 1.5, 2, 2, 2, 2.5, 3, 3, 3]
    assert averaged == [0, *levels[:-1]]
    assert int(trainer.game.shown) == 14 * 6
    rows = trainer.collect()
    assert {name for _, row in rows for name in row} == {"D.adversarial", "D.penalty", "D.drift", "G.adversarial"}


@pytest.mark.parametrize("spec", SHAPES, ids=str)
def test_a_stage_is_not_moved_before_it_is_at_work_and_then_from_adams_first_step(spec) -> None:
    trainer = play(spec, stage_kimg=0.012, fade_kimg=0.012)
    D, G = (mover.optimizer for mover in trainer.movers)
    game, before = trainer.game, copy.deepcopy(trainer.game)
    first = [*game.G.stages[1].parameters(), *game.G.pictures[1].parameters()]
    for _ in range(2):
        trainer.round()
    assert all(p.grad is None and p not in G.state for p in first), "fused Adam passes by what has no gradient"
    for name, p in game.named_parameters():
        at_work = name.split(".")[2] == "0"
        assert torch.equal(p, dict(before.named_parameters())[name]) != at_work, name
    assert game.G.level == 0
    trainer.round()  # the last at level 0: it ends at 0.5
    trainer.round()
    assert {float(G.state[p]["step"]) for p in first} == {1.0}
    assert {float(D.state[p]["step"]) for p in game.D.stages[0].parameters()} == {4.0}
    for _ in range(2):
        trainer.round()
    assert all(p.grad is None for p in game.G.pictures[0].parameters()), "and what is outgrown"


@pytest.mark.parametrize("spec", SHAPES, ids=str)
@pytest.mark.parametrize("cut", [3, 9])
def test_resume_is_exact_in_the_middle_of_a_fade(spec, cut) -> None:
    def fresh() -> Trainer:
        return play(spec, stage_kimg=0.013, fade_kimg=0.021)

    straight, first, resumed = fresh(), fresh(), fresh()
    torch.manual_seed(7)
    for _ in range(cut + 3):
        straight.round()
    torch.manual_seed(7)
    for _ in range(cut):
        first.round()
        resumed.deal()
    assert 0 < first.game.G.level % 1 < 1, "in the middle"
    state = copy.deepcopy(first.state_dict())
    first.round()  # what was saved does not go on with the game
    resumed.load_state_dict(state)
    assert int(resumed.game.shown) == 6 * cut
    level = float(level_after(torch.tensor(6 * cut), 13.0, 21.0, 4))
    assert resumed.game.G.level == resumed.game.D.level == level
    for _ in range(3):
        resumed.round()
    assert straight.collect()[cut:] == resumed.collect()
    for one, other in ((straight.game, resumed.game), (straight.average.game, resumed.average.game)):
        for key, value in one.state_dict().items():
            assert torch.equal(value, other.state_dict()[key]), key


@pytest.mark.parametrize("spec", SHAPES, ids=str)
def test_pictures_do_not_jump_where_a_stage_begins(spec) -> None:
    """At the first breath of a fade the game's pictures and scores are those of the stage before."""
    game = build(spec)
    z, x = game.noise(4), torch.rand(4, *spec.shape) * 2 - 1
    with torch.no_grad():
        for stage in range(game.last):
            before, score = at(game, stage).generate(z), game.score(game.D.seen(x))
            switched = at(game, stage + 1).generate(z)
            after, faded = at(game, stage + 1e-7).generate(z), game.score(game.D.seen(x))
            assert before.shape == after.shape == (4, *spec.shape)
            assert float((switched - before).abs().mean()) > 1e-3, "without the fade they would jump"
            torch.testing.assert_close(after, before, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(faded, score, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("spec", SHAPES[:2], ids=str)
def test_the_critic_is_asked_for_the_same_slope_when_a_stage_begins(spec) -> None:
    """A slope at half the side is twice as long: the penalty would jump if it were not taken at full size."""
    game = build(spec)
    z, x = game.noise(4), torch.rand(4, *spec.shape) * 2 - 1
    game.noise = lambda n, generator=None: z

    def losses(level: float) -> dict[str, torch.Tensor]:
        at(game, level)
        torch.manual_seed(1)
        return game.critic_loss(Batch(x)).readings()

    for stage in range(game.last):
        before, after = losses(stage), losses(stage + 1e-7)
        assert float(before["penalty"]) > 0.1
        for term in before:
            torch.testing.assert_close(after[term], before[term], rtol=1e-4, atol=1e-5)


def test_a_model_file_keeps_the_level(tmp_path) -> None:
    """What was shown is for further play only; how far the networks have grown, a sample depends on."""
    spec, trainer = SHAPES[2], play(SHAPES[2], stage_kimg=0.012, fade_kimg=0.012)
    for _ in range(7):
        trainer.round()
    game, average = trainer.game, trainer.average.game
    header = {"recipe": "progan", "game": game.config.model_dump(mode="json"), "data": model.describe(spec)}
    model.save(tmp_path / "model.safetensors", game, average, header)
    loaded = model.load(tmp_path / "model.safetensors").game
    assert (loaded.G.level, loaded.D.level) == (average.G.level, game.D.level) == (1.0, 1.5)
    z = game.noise(3)
    with torch.no_grad():
        assert torch.equal(loaded.generate(z), average.generate(z))


def test_networks_have_the_papers_widths() -> None:
    """Appendix A.2, 128 px: half of 512 at 16 px, a quarter in what follows, 32 at the last."""
    fields = {name: value for name, value in PRESETS["paper"].items() if name in Config.model_fields}
    with torch.device("meta"):
        game = ProGAN(Config(**fields), Images(3, 128, 128))
    assert [picture.in_channels for picture in game.G.pictures] == [512, 512, 256, 128, 64, 32]
    assert game.G.ladder[0] == (4, 4)
    stages, fades = game.last + 1, game.last
    whole = stages * game.config.stage_kimg + fades * game.config.fade_kimg
    assert f"{whole:.0f} kimg" == PRESETS["paper"]["length"]


def test_a_schedule_needs_a_fade() -> None:
    with pytest.raises(ValueError, match="fade_kimg"):
        Config(fade_kimg=0)
