"""Folding of search words."""

import pytest

from projections.search import exact, fold, query, words


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("Contoso", "contoso"),
        ("İSTANBUL Işık ıslak", "istanbul isik islak"),
        ("Şişli Ağaç ÜÖÇ", "sisli agac uoc"),
        ("rüzgâr île", "ruzgar ile"),
        ("Straße", "strasse"),
        ("i̇", "i"),
        ("ﬁrma", "firma"),
    ],
)
def test_case_and_accents_make_no_difference(written: str, folded: str) -> None:
    """Turkish letters, in both directions of the keyboard, and some of their neighbours."""
    assert fold(written) == folded
    assert fold(folded) == folded


def test_words_are_runs_of_letters_and_digits() -> None:
    """A domain is found by each of its parts."""
    assert words("Müşteri 12 A.Ş.", "www.müşteri-as.com.tr") == {
        *("musteri", "12", "a", "s", "www", "as", "com", "tr")
    }


def test_a_query_finds_every_word_as_a_beginning() -> None:
    """All of them, in any order; nothing to look for is no query."""
    assert query("Conto TEAMS") == "conto:* & teams:*"
    assert query(" -- ") is None
    assert query("") is None


def test_a_token_can_be_written_as_anything() -> None:
    """Quotes and backslashes are its own, and no word is ever equal to it."""
    assert query("a", [exact("subscription", r"x'\y")]) == r"a:* & 'subscription:x''\\y'"
    assert words(exact("product", "teams")) == {"product", "teams"}


def test_a_word_is_no_longer_than_the_database_takes() -> None:
    """Its beginning counts."""
    assert words("x" * 5000) == {"x" * 300}
