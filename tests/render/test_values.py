"""One value as text: bounded, printable, aligned."""

from __future__ import annotations

import datetime as dt
import decimal

import pytest

from mrkernel.render.values import align, cut, display_width, value_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("the", "the"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\ud800", "\\ud800"),
        ("evil\u202etxt", "evil\\u202etxt"),
        ("日本 👩‍💻", "日本 👩‍💻"),
        (None, "None"),
        (0.1, "0.1"),
        (True, "True"),
        (b"x", "b'x'"),
        (decimal.Decimal("1.50"), "1.50"),
        (dt.date(2024, 2, 29), "2024-02-29"),
        ((1, "a"), "(1, 'a')"),
    ],
)
def test_value_text_shows_values_as_people_know_them(value, text):
    assert value_text(value) == text


def test_value_text_survives_an_int_that_python_refuses_to_print():
    assert value_text(10**5000) == "<int too large to show>"


def test_value_text_is_bounded_for_huge_values():
    assert all(len(value_text(v)) < 2_100 for v in ("x" * 10**6, ["y" * 1000] * 1000, {n: n for n in range(10**5)}))


def test_value_text_survives_a_repr_that_raises():
    class Rude:
        def __repr__(self):
            raise RuntimeError("no")

    assert "Rude" in value_text(Rude())


def test_width_counts_terminal_columns():
    assert [display_width(t) for t in ("ab", "日本", "e\u0301", "👍")] == [2, 4, 1, 2]


def test_cut_keeps_within_the_width():
    assert (cut("abcdef", 4), cut("日本語", 5), cut("abc", 3)) == ("abc…", "日本…", "abc")


def test_align_pads_by_columns_not_characters():
    assert align([("日本", "1"), ("a", "22")], (False, True)) == ["日本   1", "a     22"]
