"""Readings for the doctor, taken now and then beside the rounds: nothing of the game is changed, no chance used up."""

from zerosum.checkup.checkup import Checkup

__all__ = ["Checkup"]
