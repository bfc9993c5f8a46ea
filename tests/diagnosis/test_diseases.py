"""Every disease has a cause, and remedies whose sources are papers with numbers that can be."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from zerosum.diagnosis.diseases import DISEASES
from zerosum.treatment.acts import ACTS

NAMES = [
    "mode-collapse",
    "partial-collapse",
    "mode-hopping",
    "vanishing-gradient",
    "d-overpowers",
    "g-overpowers",
    "oscillation",
    "divergence",
    "non-finite",
    "dead-start",
    "d-memorises",
    "g-copies",
    "batch-statistics-leak",
    "checkerboard",
    "label-ignored",
    "identity-shortcut",
    "learning-rate-too-high",
    "learning-rate-too-low",
    "wrong-range",
    "healthy",
]
REMEDIES = [(name, remedy) for name, disease in DISEASES.items() for remedy in disease.remedies]
PAGES = files("zerosum.diagnosis").joinpath("pages")
CITED = re.compile(r"([^\s(]+(?: et al\.| & [\w-]+)?) (\d{4}), \[?arXiv:(\S+?)(?=[\],;:)\s]|$)")


def cited(text: str) -> list[tuple[str, int, str]]:
    """Every 'Names 2014, arXiv:1406.2661' of a text."""
    return [(who, int(year), number) for who, year, number in CITED.findall(text)]


def everything() -> str:
    """All that cites: the remedies' sources and the pages."""
    return "\n".join([remedy.source for _, remedy in REMEDIES] + [page.read_text("utf-8") for page in PAGES.iterdir()])


def test_every_name_is_there_under_itself():
    assert list(DISEASES) == NAMES
    assert [disease.name for disease in DISEASES.values()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_disease_says_what_it_is_in_a_line_and_one_sentence(name):
    disease = DISEASES[name]
    assert 10 < len(disease.title) < 80
    assert not disease.title.endswith(".")
    assert 30 < len(disease.cause) < 160
    assert re.fullmatch(r"[A-Z][^.]*\.", disease.cause)


def test_every_disease_has_a_remedy_and_health_has_none():
    assert [name for name, disease in DISEASES.items() if not disease.remedies] == ["healthy"]


@pytest.mark.parametrize(("name", "remedy"), REMEDIES, ids=[f"{n}-{r.words[:30]}" for n, r in REMEDIES])
def test_a_remedy_has_words_a_source_and_an_act_that_exists(name, remedy):
    assert 8 < len(remedy.words) < 90
    assert re.search(r"\d{4}", remedy.source), "a source has a year"
    assert re.search(r"arXiv:\d{4}\.\d{4,5}|doi:10\.|JMLR|IEEE", remedy.source)
    assert remedy.act is None or remedy.act in ACTS


def test_no_act_is_offered_twice_for_one_disease():
    for disease in DISEASES.values():
        acts = [remedy.act for remedy in disease.remedies if remedy.act]
        assert len(set(acts)) == len(acts), disease.name


def test_arxiv_numbers_are_of_a_month_and_near_the_year_of_the_paper():
    found = cited(everything())
    assert len(found) > 100
    for who, year, number in found:
        assert re.fullmatch(r"(0[7-9]|[12]\d)(0[1-9]|1[0-2])\.\d{4,5}", number), f"{who} {year}: {number}"
        assert -1 <= year - (2000 + int(number[:2])) <= 2, f"{who} {year}: {number}"


def test_a_number_is_always_the_same_paper():
    text = everything()
    papers = {number: (who, year) for who, year, number in cited(text)}
    for who, year, number in cited(text):
        assert papers[number] == (who, year)
    assert len({(who, year, number) for number, (who, year) in papers.items()}) == len(papers)
    assert set(re.findall(r"arXiv:(\d{4}\.\d{4,5})", text)) == set(papers), "every number stands with names and a year"


def test_citations_are_found_as_they_are_written():
    assert cited("as Odd & Even 2015, arXiv:1513.00001, say") == [("Odd & Even", 2015, "1513.00001")]
    assert cited("- Odd et al. 2015, [arXiv:1501.00001](https://arxiv.org)") == [("Odd et al.", 2015, "1501.00001")]
    assert cited("Bengio 2012, arXiv:1206.5533") == [("Bengio", 2012, "1206.5533")]
