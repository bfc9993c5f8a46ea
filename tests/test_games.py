"""What holds for every recipe: each line of the table is played here."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import _SpectralNorm as spectral_norm

from zerosum.data.spec import Domains, Images, Pairs, Points
from zerosum.game import Batch, Game, Loss, Player, Translator, adam
from zerosum.networks.blocks import Dropout
from zerosum.play.dynamics import Mover, alternating, extragradient, simultaneous
from zerosum.play.hand import Hand
from zerosum.play.ownership import check_ownership
from zerosum.play.precision import bfloat16, full
from zerosum.play.trainer import NonFinite, Trainer
from zerosum.recipes import RECIPES

SPECS = {
    "28x28x1, 10 classes": Images(1, 28, 28, tuple("0123456789")),
    "32x32x3": Images(3, 32, 32),
    "64x64x3": Images(3, 64, 64),
    "17x26x1, 2 classes": Images(1, 17, 26, ("a", "b")),
    "points": Points(2),
    "pairs of 32x32": Pairs(Images(3, 32, 32), Images(3, 32, 32)),
    "pairs of 17x26, gray to colour": Pairs(Images(1, 17, 26), Images(3, 17, 26)),
    "two domains of 32x32": Domains(Images(3, 32, 32), Images(3, 32, 32)),
    "two domains of 17x26, gray and colour": Domains(Images(1, 17, 26), Images(3, 17, 26)),
}
EXACTLY = {"rtol": 0, "atol": 0}
SMALL = {
    "width": 4,
    "widths": (8, 8),
    "generator_widths": (16,),
    "discriminator_widths": (16,),
    "hidden": (16,),
    "latent": 5,
    "blocks": 1,
    "dropout": 0.0,
}
PAIRS = [
    (name, s)
    for name, recipe in RECIPES.items()
    for s, spec in SPECS.items()
    if isinstance(spec, recipe.takes) and (spec.classes or not recipe.labelled)
]


def small_config(name: str):
    recipe = RECIPES[name]
    fits = {k: v for k, v in SMALL.items() if k in recipe.config.model_fields}
    if name == "dcgan":  # its widths must agree in number with the stages, which differ between the specs
        fits = {"width": 4, "latent": 5}
    return recipe.config(**fits)


def build(name: str, spec, seed: int = 0) -> Game:
    torch.manual_seed(seed)
    return RECIPES[name].game(small_config(name), spec)


def dealer(game: Game, spec, n: int = 6, seed: int = 0):
    chance = torch.Generator().manual_seed(seed)

    def deal():
        x = torch.rand(n, *spec.shape, generator=chance) * 2 - 1
        if isinstance(spec, Pairs | Domains):
            return x, torch.rand(n, *spec.b.shape, generator=chance) * 2 - 1
        return x, torch.randint(game.classes, (n,), generator=chance) if game.classes else None

    return deal


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]} on {pair[1]}")
def played(request):
    name, spec = request.param[0], SPECS[request.param[1]]
    game = build(name, spec)
    return game, spec, dealer(game, spec)


def test_ownership(played) -> None:
    game, _, _ = played
    check_ownership(game)
    owned = [id(p) for player in game.players() for p in player.parameters()]
    assert len(owned) == len(set(owned)) == sum(p.requires_grad for p in game.parameters())


def statistics(game: Game) -> set[str]:
    """The buffers that may change in another's turn: they follow every batch that a network sees.

    Batch norm's running statistics, and the vectors of spectral norm's power iteration.
    """
    found = set()
    for name, module in game.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm | spectral_norm):
            found |= {f"{name}.{buffer}" for buffer, _ in module.named_buffers()}
    return found


def test_a_turn_moves_the_mover_and_nobody_else(played) -> None:
    game, _, deal = played
    may = statistics(game)
    for mover in [Mover(player, full(game.device)) for player in game.players()]:
        before = {name: p.detach().clone() for name, p in game.named_parameters()}
        buffers = {name: b.clone() for name, b in game.named_buffers()}
        hand = Hand(*deal())
        mover.evaluate(hand)
        mover.step([hand])
        mine = {id(p) for p in mover.parameters}
        moved = {name for name, p in game.named_parameters() if not torch.equal(p, before[name])}
        assert moved, f"{mover.player.name} did not move"
        assert all(id(dict(game.named_parameters())[name]) in mine for name in moved)
        changed = {name for name, b in game.named_buffers() if not torch.equal(b, buffers[name])}
        assert changed <= may, f"in the turn of {mover.player.name}"


def test_gradients_are_those_of_freezing_the_opponents(played) -> None:
    """Asking for the mover's gradients only gives, bit for bit, what freezing everybody else gives."""
    game, _, deal = played
    x, y = deal()
    for player in game.players():
        game.eval()  # dropout and batch statistics aside, so that both evaluations are of one function
        torch.manual_seed(1)
        mover = Mover(player, full(game.device))
        mover.evaluate(Hand(x, y))
        reached = [p for p in mover.parameters if p.grad is not None]
        assert reached
        asked = [p.grad.clone() for p in reached]
        mine = {id(p) for p in mover.parameters}
        for p in game.parameters():
            p.grad = None
            p.requires_grad_(id(p) in mine)
        torch.manual_seed(1)
        player.loss(Batch(x, y)).total.backward()
        torch.testing.assert_close([p.grad for p in reached], asked, **EXACTLY)
        game.requires_grad_(True)


def test_terms_are_finite_and_sum_to_the_total(played) -> None:
    game, _, deal = played
    for player in game.players():
        loss = player.loss(Batch(*deal()))
        assert torch.isfinite(torch.stack(list(loss.readings().values()))).all()
        torch.testing.assert_close(loss.total, torch.stack(list(loss.terms.values())).sum())
        assert all(value.dim() == 0 for value in loss.readings().values())
        assert all(not value.requires_grad for value in loss.readings().values())


def test_samples_have_shape_range_and_labels(played) -> None:
    game, spec, _ = played
    if isinstance(game, Translator):
        check_translations(game, spec)
        return
    y = torch.zeros(3, dtype=torch.long) if game.classes else None
    x = game.sample(3, y)
    assert x.shape == (3, *spec.shape)
    assert torch.isfinite(x).all()
    realness = game.realness(x, y)
    assert realness is None or (realness.shape == (3,) and (realness >= 0).all() and (realness <= 1).all())
    assert game.training, "sampling leaves the mode as it was"


def check_translations(game: Translator, spec) -> None:
    """Every direction gives the other side's channels, in range, at the spec's size and at any other."""
    for direction in game.directions:
        given, made = (spec.a, spec.b) if direction == "AtoB" else (spec.b, spec.a)
        for height, width in ((given.height, given.width), (37, 21)):
            with torch.no_grad():
                y = game.translate(torch.rand(2, given.channels, height, width) * 2 - 1, direction)
            assert y.shape == (2, made.channels, height, width)
            assert y.abs().max() <= 1
    with pytest.raises(ValueError, match="out of pictures"):
        game.sample(1)
    assert game.training, "translating leaves the mode as it was"


def test_a_sample_does_not_depend_on_its_neighbours(played) -> None:
    game, _, deal = played
    trainer = Trainer(game, deal)
    for _ in range(3):
        trainer.round()
    average = trainer.average.game
    if isinstance(average, Translator):
        x, _ = deal()
        with torch.no_grad():
            torch.testing.assert_close(average.translate(x)[2:3], average.translate(x[2:3]), rtol=1e-4, atol=1e-5)
        return
    z, y = game.noise(4), torch.zeros(4, dtype=torch.long) if game.classes else None
    with torch.no_grad():
        together = average.generate(z, y)
        alone = average.generate(z[2:3], None if y is None else y[2:3])
    torch.testing.assert_close(together[2:3], alone, rtol=1e-4, atol=1e-5)


def check_resume(trainer, rounds: int = 4, cut: int = 2) -> None:
    """`rounds` in a row equal those of a fresh trainer that is loaded with the state after `cut`, bit for bit."""
    straight = trainer()
    torch.manual_seed(7)
    for _ in range(rounds):
        straight.round()
    rows = straight.collect()

    first, dealt = trainer(), []
    deal = first._deal
    first._deal = lambda: dealt.append(1) or deal()
    torch.manual_seed(7)
    for _ in range(cut):
        first.round()
    head = first.collect()
    state = copy.deepcopy(first.state_dict())
    resumed = trainer()
    for _ in dealt:
        resumed.deal()  # the dealer of a run keeps its own place
    torch.manual_seed(99)
    resumed.load_state_dict(state)
    for _ in range(rounds - cut):
        resumed.round()
    assert head + resumed.collect() == rows
    for key, value in straight.game.state_dict().items():
        torch.testing.assert_close(resumed.game.state_dict()[key], value, **EXACTLY)
    for key, value in straight.average.game.state_dict().items():
        if key != "_extra_state":  # the game's own: what only further play needs
            torch.testing.assert_close(resumed.average.game.state_dict()[key], value, **EXACTLY)


def test_a_seed_fixes_the_first_round_and_resume_is_exact(played) -> None:
    game, spec, _ = played
    name = next(n for n, r in RECIPES.items() if type(game) is r.game)

    def trainer():
        fresh = build(name, spec)
        return Trainer(fresh, dealer(fresh, spec))

    check_resume(trainer)


@pytest.mark.parametrize("turns", [{"steps": 3}, {"every": 2}, {"steps": 3, "every": 2}], ids=str)
@pytest.mark.parametrize("name", ["gan", "r3gan"])
def test_resume_is_exact_whoever_plays_how_often(name: str, turns) -> None:
    """Cut after an odd number of rounds, where D rests next."""
    spec = Points(2)

    def trainer():
        game = build(name, spec)
        players = game.players
        game.players = lambda: [replace(player, **turns) if player.name == "D" else player for player in players()]
        return Trainer(game, dealer(game, spec))

    played = trainer()
    for _ in range(2):
        played.round()
    assert [any(name.startswith("D.") for name in row) for _, row in played.collect()] == [True, "every" not in turns]
    check_resume(trainer, rounds=6, cut=3)


def test_resume_is_exact_with_dropout() -> None:
    spec = Images(1, 16, 16)

    def trainer():
        torch.manual_seed(0)
        config = RECIPES["dcgan"].config(width=4, latent=5, dropout=0.3)
        game = RECIPES["dcgan"].game(config, spec)
        assert any(isinstance(module, Dropout) for module in game.D.modules())
        return Trainer(game, dealer(game, spec))

    check_resume(trainer)


def test_bfloat16_rounds_are_finite_and_keep_what_is_wide(played) -> None:
    """Networks run in bfloat16; readings are float32 or wider, and parameters and statistics stay float32."""
    game, _, deal = played
    trainer, seen = Trainer(game, deal, precision=bfloat16), set()
    for module in game.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            module.register_forward_hook(lambda module, given, made: seen.add(made.dtype))
    for _ in range(2):
        trainer.round()
    assert seen == {torch.bfloat16}
    assert {value.dtype for _, readings in trainer.unread for value in readings.values()} <= {
        torch.float32,
        torch.float64,
    }
    for _, row in trainer.collect():
        assert {name.partition(".")[0] for name in row} == {player.name for player in game.players()}
        assert all(map(math.isfinite, row.values()))
    for each in (game, trainer.average.game):
        for name, value in (*each.named_parameters(), *each.named_buffers()):
            assert value.dtype == (torch.int64 if name.endswith("num_batches_tracked") else torch.float32), name


def test_the_average_is_of_the_same_class_and_holds_what_ships(played) -> None:
    game, _, deal = played
    trainer = Trainer(game, deal, average=0.5)
    start = [p.clone() for p in trainer.average.game.parameters()]
    trainer.round()
    assert type(trainer.average.game) is type(game)
    kept = {name.split(".")[0] for name, _ in trainer.average.game.named_parameters()}
    assert kept == set(game.ships)
    live = dict(game.named_parameters())
    for (name, p), before in zip(trainer.average.game.named_parameters(), start, strict=True):
        # Round 0: b = min(0.5, 1/10).
        torch.testing.assert_close(p, 0.1 * before + 0.9 * live[name])


@pytest.mark.parametrize("name", RECIPES)
def test_every_preset_is_a_valid_config_of_the_recipe(name: str) -> None:
    from zerosum.settings import resolve

    for preset in RECIPES[name].presets:
        settings = resolve(name, preset)
        assert type(settings.game).model_validate(settings.game.model_dump(mode="json")) == settings.game


def test_setting_names_are_unique_within_a_recipe() -> None:
    from zerosum.sections import Data, Play

    for name, recipe in RECIPES.items():
        names = [*Data.model_fields, *recipe.config.model_fields, *Play.model_fields]
        assert len(names) == len(set(names)), name


# The core by itself -------------------------------------------------------------------------------------------------


class Two(Game):
    """Two scalars; each player's loss is given."""

    def __init__(self, d_loss=None, g_loss=None, **turns):
        super().__init__()
        self.D, self.G = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        self.turns, self.order = turns, []
        self.d_loss = d_loss or (lambda batch: self.D(batch.x).mean())
        self.g_loss = g_loss or (lambda batch: self.G(batch.x).mean())

    def players(self):
        def watched(name, loss):
            def evaluate(batch):
                self.order.append(name)
                return Loss(value=loss(batch))

            return evaluate

        return [
            Player("D", [self.D], watched("D", self.d_loss), adam(0.1), **self.turns),
            Player("G", [self.G], watched("G", self.g_loss), adam(0.1)),
        ]


def ones():
    return torch.ones(2, 1), None


def test_steps_and_every_give_the_turns_of_a_round() -> None:
    game = Two(steps=3)
    trainer = Trainer(game, ones)
    trainer.round()
    assert "".join(game.order) == "DDDG"
    game = Two(every=2)
    trainer = Trainer(game, ones)
    for _ in range(3):
        trainer.round()
    assert "".join(game.order) == "DGGDG"


@pytest.mark.parametrize("dynamics", [simultaneous, extragradient])
def test_more_steps_than_one_make_no_sense_at_once(dynamics) -> None:
    with pytest.raises(ValueError, match="D asks for 3 steps"):
        Trainer(Two(steps=3), ones, dynamics=dynamics).round()


def test_what_a_hand_keeps_is_forgotten_when_its_network_moves() -> None:
    G, D = nn.Linear(1, 1), nn.Linear(1, 1)
    hand, made = Batch(torch.ones(2, 1)), []

    def make(name):
        def fresh():
            made.append(name)
            return len(made)

        return fresh

    assert [hand.once("fake", make("fake"), G), hand.once("fake", make("fake"), G)] == [1, 1]
    hand.once("score", make("score"), D, G)
    hand.forget([D])
    assert hand.once("fake", make("fake"), G) == 1
    assert hand.once("score", make("score"), D, G) == 3
    hand.forget([G])
    hand.once("fake", make("fake"), G)
    assert made == ["fake", "score", "score", "fake"]


def test_a_network_moves_with_its_parts_and_its_whole() -> None:
    parts = nn.ModuleDict({"G": nn.Sequential(nn.Linear(1, 1)), "D": nn.Linear(1, 1)})
    hand, made = Batch(torch.ones(2, 1)), []

    def kept() -> list[str]:
        made.clear()
        for name, network in {"G": parts["G"], "D": parts["D"], "both": parts}.items():
            hand.once(name, lambda name=name: made.append(name), network)
        return [name for name in ("G", "D", "both") if name not in made]

    assert kept() == []
    assert kept() == ["G", "D", "both"]
    hand.forget([parts])
    assert kept() == [], "what came from a child goes when its container moves"
    hand.forget([parts["G"][0]])
    assert kept() == ["D"], "what came from a container goes when a child moves"


def test_sharing_fakes_between_turns_changes_nothing() -> None:
    """dcgan plays G's turn on the fakes of D's: the same as making them again from the same z."""
    spec = Images(1, 16, 16)
    shared, again = build("dcgan", spec), build("dcgan", spec)
    z = torch.randn(6, shared.latent)
    for game in (shared, again):
        game.noise = lambda n, generator=None: z
    again.judged_fakes = lambda batch: again.D(again.generate(z))
    momentum = {m: 0.0 for m in again.modules() if isinstance(m, nn.BatchNorm2d)}
    for module in (*shared.modules(), *again.modules()):
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0  # the second forward would count twice in the running statistics
    assert momentum
    for game in (shared, again):
        trainer = Trainer(game, dealer(game, spec), dynamics=alternating)
        trainer.round()
        trainer.round()
    for a, b in zip(shared.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_ownership_names_what_is_wrong() -> None:
    game = Two()
    game.extra = nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"no player moves extra\.weight, extra\.bias"):
        check_ownership(game)
    game.extra.requires_grad_(False)
    check_ownership(game)
    players = game.players()
    game.players = lambda: [players[0], Player("G", [game.G, game.D], players[1].loss, adam(0.1))]
    with pytest.raises(ValueError, match=r"D\.weight is moved by both D and G"):
        check_ownership(game)
    game.players = lambda: [players[0], players[0]]
    with pytest.raises(ValueError, match="each with its own name"):
        check_ownership(game)
    stranger = Player("E", [nn.Linear(1, 1)], players[0].loss, adam(0.1))
    game.players = lambda: [*players, stranger]
    with pytest.raises(ValueError, match="not part of the game"):
        check_ownership(game)


@pytest.mark.parametrize("bad", [{"steps": 0}, {"every": 0}, {"steps": -1}])
def test_a_player_must_move(bad) -> None:
    with pytest.raises(ValueError, match="never moves"):
        Player("D", [], lambda batch: Loss(x=batch.x), adam(0.1), **bad)


def test_a_loss_needs_a_term() -> None:
    with pytest.raises(ValueError, match="no term"):
        Loss()


def test_what_is_watched_needs_a_name_of_its_own() -> None:
    loss = Loss(adversarial=torch.tensor(1.0))
    with pytest.raises(ValueError, match="adversarial is a term"):
        loss.read(D_x=torch.tensor(2.0), adversarial=torch.tensor(3.0))
    assert loss.readings() == {"adversarial": torch.tensor(1.0)}
    weight = torch.ones((), requires_grad=True)
    watched = loss.read(D_x=2 * weight)
    assert watched.total == 1
    assert not watched.readings()["D_x"].requires_grad


def test_the_first_value_that_is_no_number_is_named() -> None:
    game = Two()
    rounds = []

    def g_loss(batch):
        rounds.append(1)
        return self_loss(batch) * (float("nan") if len(rounds) == 3 else 1.0)

    def self_loss(batch):
        return game.G(batch.x).mean()

    game.g_loss = g_loss
    trainer = Trainer(game, ones)
    for _ in range(5):
        trainer.round()
    with pytest.raises(NonFinite, match="round 3: value of player G is nan") as caught:
        trainer.collect()
    assert (caught.value.round, caught.value.reading) == (3, "G.value")


def test_collect_gives_each_round_once() -> None:
    trainer = Trainer(Two(), ones)
    trainer.round()
    trainer.round()
    assert [round_ for round_, _ in trainer.collect()] == [1, 2]
    assert trainer.collect() == []


def test_no_average_is_the_live_game() -> None:
    game = Two()
    trainer = Trainer(game, ones, average=0.0)
    trainer.round()
    assert torch.equal(trainer.average.game.G.weight, game.G.weight)
    with pytest.raises(ValueError, match="decay is 1"):
        Trainer(Two(), ones, average=1.0)
