"""Streams of chance, one for each thing that is drawn, so that none repeats another."""

import hashlib

import torch


def chance(*names: object) -> torch.Generator:
    """A generator on the CPU whose seed is a digest of these names: ("glyphs", seed, stream, block).

    Seeds that are near each other, or equal in their lower 32 bits (torch takes no more), would share draws.

    >>> a, b = (torch.rand(2, generator=chance("rain", seed, 0)) for seed in (0, 2**32))
    >>> bool((a == b).any())
    False
    """
    digest = hashlib.sha256(" ".join(map(str, names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
