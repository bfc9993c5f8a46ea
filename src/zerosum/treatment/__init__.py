"""Treatment: a run that falls ill goes back to where it was well, is played otherwise, and what helped is kept."""

from zerosum.treatment.acts import ACTS, possible
from zerosum.treatment.treatment import HELD, TRIES, Treatment

__all__ = ["ACTS", "HELD", "TRIES", "Treatment", "possible"]
