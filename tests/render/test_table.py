"""The result table in HTML and text."""

from __future__ import annotations

import re

from mrkernel.render import Preview, table_html, table_text

EVIL = "<img src=x onerror=alert(1)>"


def preview(rows, columns=("key", "value"), types=("string", "int64"), **more):
    values = {"n_rows": len(rows), "n_columns": len(columns), **more}
    return Preview(columns=columns, types=types, rows=rows, **values)


def test_table_text_aligns_and_says_what_was_cut():
    text = table_text(preview([("the", 63919), ("and", 51696)], n_rows=12824, n_bytes=18_300_000))
    assert text.split("\n") == [
        "key  value",
        "──────────",
        "the  63919",
        "and  51696",
        "2 of 12,824 rows, 2 columns, 18.3 MB · .to_pandas()",
    ]


def test_table_says_what_was_written_below_its_footer():
    shown = preview([("the", 1)], written="wrote 1 row to <out>.csv")
    assert table_text(shown).split("\n")[-2:] == ["1 row, 2 columns · .to_pandas()", "wrote 1 row to <out>.csv"]
    assert table_html(shown).endswith("</p><p>wrote 1 row to &lt;out&gt;.csv</p></div>")


def test_table_of_nothing_is_a_head_and_a_footer():
    empty = preview([], n_bytes=0)
    assert "0 rows, 2 columns, 0 bytes" in table_text(empty)
    assert "<tbody>" not in table_html(empty)


def test_table_without_columns_renders():
    nothing = preview([], columns=(), types=())
    assert "0 rows, 0 columns" in table_text(nothing)
    assert "0 rows, 0 columns" in table_html(nothing)


def test_table_html_escapes_values_names_types_and_notes():
    evil = preview([(EVIL, [EVIL])], columns=(EVIL, "v"), types=(EVIL, EVIL), note=EVIL, access=EVIL)
    page = table_html(evil, title=EVIL)
    assert "<img" not in page
    assert page.count("&lt;img") >= 6


def test_table_html_folds_long_values_and_says_so():
    page = table_html(preview([("x" * 5000, 1)]))
    assert "<details><summary>" in page
    assert "2,000 of 5,000 characters" in page


def test_table_html_has_a_byte_cap_and_counts_the_rows_it_shows():
    wide = [tuple(f"{n:1900d}" for n in range(10)) for _ in range(50)]
    page = table_html(preview(wide, columns=tuple("abcdefghij"), types=("string",) * 10))
    assert len(page) < 150_000
    shown = int(re.search(r"(\d+) of 50 rows", page)[1])
    assert page.count("<tr>") == shown + 1


def test_table_html_cuts_columns_and_says_so():
    names = tuple(f"c{n}" for n in range(30))
    page = table_html(preview([tuple(range(30))], columns=names, types=("int64",) * 30))
    assert "20 of 30 columns" in page
    assert "c20" not in page


def test_table_text_drops_columns_that_do_not_fit():
    names = tuple(f"column {n}" for n in range(12))
    text = table_text(preview([("x" * 30,) * 12], columns=names, types=("string",) * 12), width=80)
    assert max(map(len, text.split("\n")[:-1])) <= 80
    assert re.search(r"\d of 12 columns", text)


def test_table_html_numbers_are_right_aligned_by_type():
    page = table_html(preview([("a", 1)]))
    assert '<td class="mr-num">1</td>' in page
    assert "<td>a</td>" in page


def test_table_html_reads_without_style_or_script():
    page = table_html(preview([("a", 1)], n_rows=9))
    assert "<script" not in page
    bare = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    words = " ".join(re.sub(r"<[^>]+>", " ", bare).split())
    assert words == "key string value int64 a 1 1 of 9 rows, 2 columns · .to_pandas()"
