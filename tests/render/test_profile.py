"""A job's profile as text and as static HTML."""

from __future__ import annotations

from mrkernel.render import profile_html, profile_text

EVIL = "<img src=x onerror=alert(1)>"
PARTS = [("user code", "1.50", "75%"), ("in all", "2.00", "100%")]


def test_profile_is_escaped():
    html = profile_html(PARTS, [(EVIL, "1.00", "50%", EVIL)])
    assert "<img" not in html
    assert html.count("&lt;img src=x") == 2


def test_profile_without_lines_has_one_table():
    assert profile_html(PARTS, []).count("<table") == 1
    assert "your code" not in profile_text(PARTS, [])


def test_lines_stay_lines():
    said = profile_text(PARTS, [("a\nb.py:1 in f", "1.00", "50%", "x = '\x1b[31m'" + "y" * 300)])
    assert len(said.split("\n")) == 5
    assert "\x1b" not in said
    assert max(map(len, said.split("\n"))) < 200
