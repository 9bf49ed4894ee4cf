"""The data beside the notebooks is what its README says, checked without mrkernel."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections import Counter
from pathlib import Path

import pyarrow.csv as pc
import pyarrow.parquet as pq

DATA = Path(__file__).parents[1] / "notebooks" / "data"


def _verses() -> list[str]:
    return "".join(file.read_text("ascii") for file in sorted((DATA / "kjv").glob("*.txt"))).splitlines()


def test_kjv_is_whole_and_in_order() -> None:
    verses = _verses()
    assert len(verses) == 31_102
    assert verses[0].startswith("Ge1:1 In the beginning")
    assert verses[-1].startswith("Rev22:21 The grace")
    content = "".join(verse + "\n" for verse in verses).encode()
    assert hashlib.sha256(content).hexdigest() == "cd45f0c9cedab8e4439bd6486c8952c77cc8b0ecc5d1f6ae3513f2039f47229d"


def test_kjv_has_the_word_counts_its_readme_names() -> None:
    words = Counter(re.findall(r"[\w']+", " ".join(verse.split(" ", 1)[1] for verse in _verses()).lower()))
    assert (words.total(), len(words)) == (789_684, 12_824)
    assert words.most_common(3) == [("the", 63_919), ("and", 51_696), ("of", 34_618)]


def test_flights_have_the_rows_and_gaps_their_readme_names() -> None:
    flights = pq.read_table(DATA / "flights" / "flights.parquet")
    assert (flights.num_rows, flights["arr_delay"].null_count) == (336_776, 9_430)
    planes = set(pc.read_csv(DATA / "flights" / "planes.csv")["tailnum"].to_pylist())
    assert sum(tail in planes for tail in flights["tailnum"].to_pylist()) == 284_170


def test_january_is_a_part_of_the_year() -> None:
    with gzip.open(DATA / "flights" / "flights-2013-01.csv.gz", "rt", encoding="ascii") as file:
        assert sum(line.startswith("2013,1,") for line in file) == 27_004


def test_no_file_is_too_large_for_a_repository() -> None:
    assert [file.name for file in DATA.rglob("*") if file.stat().st_size > 2_000_000] == []
