"""Whose is which network: a game is only played where every parameter has one mover."""

from zerosum.game import Game


def check_ownership(game: Game) -> None:
    """Every parameter has exactly one mover, or is frozen (`requires_grad=False`) when built.

    Raises ValueError with the names of the players and the parameter where this is not so.
    """
    players = game.players()
    names = [player.name for player in players]
    if not players or len(set(names)) < len(names):
        raise ValueError(f"{type(game).__name__}: players are {names}; expected at least one, each with its own name")
    mover: dict[int, str] = {}
    parameter_names = {id(p): name for name, p in game.named_parameters()}
    for player in players:
        if not player.parameters():
            raise ValueError(f"player {player.name} has nothing to move: its networks hold no trainable parameter")
        for p in player.parameters():
            name = parameter_names.get(id(p), "a parameter that is not part of the game")
            if id(p) not in parameter_names:
                raise ValueError(f"player {player.name} moves {name}: assign its network to the game (self.X = ...)")
            if id(p) in mover:
                raise ValueError(f"{name} is moved by both {mover[id(p)]} and {player.name}: give it to one of them")
            mover[id(p)] = player.name
    idle = [name for name, p in game.named_parameters() if p.requires_grad and id(p) not in mover]
    if idle:
        raise ValueError(f"no player moves {', '.join(idle)}: give it to a player, or freeze it (requires_grad=False)")
