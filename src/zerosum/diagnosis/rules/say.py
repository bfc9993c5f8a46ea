"""How a rule says what it found."""

from zerosum.diagnosis.diseases import DISEASES
from zerosum.diagnosis.finding import Finding
from zerosum.diagnosis.history import History


def finding(
    history: History, disease: str, severity: str, first: int, sentence: str, **numbers: float | None
) -> Finding:
    """The finding of this disease, with its likely cause and its remedies."""
    about = DISEASES[disease]
    told = {name: round(value, 6) for name, value in numbers.items() if value is not None}
    return Finding(disease, severity, first, history.round, sentence, told, about.cause, about.remedies)


def percent(share: float) -> str:
    """
    >>> percent(0.934), percent(0.004)
    ('93 %', '0.4 %')
    """
    return f"{100 * share:.0f} %" if share >= 0.095 or share == 0 else f"{100 * share:.2g} %"
