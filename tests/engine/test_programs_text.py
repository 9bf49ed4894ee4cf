"""Programs over text, with answers that were computed independently of mrkernel (plain Python, coreutils)."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby, pairwise

import pytest

import mrkernel as mr
from mrkernel.errors import TaskFailedError

TOKEN = re.compile(r"[\w']+")
WHEELS = """the wheels on the bus go round and round
round and round round and round
the wheels on the bus go round and round
all through the town
"""


def tokens(line):
    """The lower-cased words of a verse, its reference taken off."""
    return TOKEN.findall(line.partition(" ")[2].lower())


def words(line):
    for token in tokens(line):
        yield token, 1


def test_word_count_of_the_bible(run, kjv):
    counts = dict(run(mr.Job(words, sum), kjv))
    assert (counts["the"], counts["and"], counts["of"]) == (63_919, 51_696, 34_618)
    assert (len(counts), sum(counts.values())) == (12_824, 789_684)


@pytest.mark.parametrize("reducers", [1, 3, 8])
@pytest.mark.parametrize("n_splits", [1, 2, 7, 64])
def test_word_count_does_not_depend_on_splits_and_partitions(inline, kjv, n_splits, reducers):
    source = mr.read_text(kjv.replace("*", "5-gospels"))
    chunk_size = -(-source.size_bytes() // n_splits)
    assert len(source.splits(chunk_size)) == n_splits
    result = inline(mr.Job(words, sum), source, chunk_size=chunk_size, reducers=reducers)
    with open(kjv.replace("*", "5-gospels")) as file:
        assert dict(result) == Counter(token for line in file for token in tokens(line))
    assert result.num_parts == reducers


@pytest.mark.parametrize("combine", [None, True, False])
def test_word_count_does_not_depend_on_combining(run, kjv, combine):
    result = run(mr.Job(words, sum), kjv.replace("*", "6-letters"), combine=combine, chunk_size="100 kB")
    assert (len(result), result["the"]) == (4_916, 6_231)


def test_word_count_of_the_wheels_on_the_bus(run, tmp_path):
    (tmp_path / "bus.txt").write_text(WHEELS)
    job = mr.Job(lambda line: [(word, 1) for word in line.split()], sum)
    assert dict(run(job, tmp_path / "bus.txt", chunk_size=10)) == {
        "all": 1, "and": 4, "bus": 2, "go": 2, "on": 2, "round": 8, "the": 5, "through": 1, "town": 1, "wheels": 2,
    }  # fmt: skip


def test_wc_counts_characters_words_and_lines(run, tmp_path):
    (tmp_path / "dogs.txt").write_text("dog dog dog\ncat cat\n")

    def wc(line):
        yield "chars", len(line) + 1
        yield "words", len(line.split())
        yield "lines", 1

    assert dict(run(mr.Job(wc, sum), tmp_path / "dogs.txt")) == {"chars": 20, "lines": 2, "words": 5}


def test_wc_of_an_empty_file_is_an_empty_success(run, tmp_path):
    (tmp_path / "empty.txt").touch()
    result = run(mr.Job(lambda line: ("lines", 1), sum), tmp_path / "empty.txt")
    assert dict(result) == {}
    assert result.schema.names == ["key", "value"]


@pytest.fixture
def three_files(tmp_path):
    for name, content in (("file1.txt", "a\n"), ("file2.txt", "b\nc\n"), ("file3.txt", "")):
        (tmp_path / name).write_text(content)
    return tmp_path


def test_lines_are_counted_with_a_reducer(run, three_files):
    assert dict(run(mr.Job(lambda line: ("lines", 1), sum), three_files / "*.txt")) == {"lines": 3}


def test_lines_are_counted_without_a_reducer_in_partial_counts(run, three_files):
    result = run(mr.Job(lambda line: ("lines", 1)), three_files / "*.txt", chunk_size=1)
    assert sum(count for _, count in result) == 3


def test_lines_per_file_come_from_the_mappers_context(run, three_files):
    def by_file(line):
        yield mr.context().source.rpartition("/")[2], 1

    assert dict(run(mr.Job(by_file, sum), three_files / "*.txt")) == {"file1.txt": 1, "file2.txt": 2}


def test_lines_per_file_of_the_bible_where_files_are_cut(run, kjv):
    def by_file(line):
        yield mr.context().source.rpartition("/")[2], 1

    assert dict(run(mr.Job(by_file, sum), kjv, chunk_size="300 kB")) == {
        "1-law.txt": 5_852, "2-history.txt": 7_018, "3-poetry.txt": 4_785,
        "4-prophets.txt": 5_490, "5-gospels.txt": 3_779, "6-letters.txt": 4_178,
    }  # fmt: skip


def test_grep_finds_the_verses_with_a_token(run, kjv):
    def grep(line):
        if "jesus" in tokens(line):
            yield mr.context().offset, line

    found = run(mr.Job(grep), kjv)
    assert len(found) == 935
    assert all("jesus" in tokens(line) for _, line in found)


def test_grep_without_a_match_is_an_empty_success(run, kjv):
    result = run(mr.Job(lambda line: (line, 1) if "xylophone" in line else None), kjv)
    assert (len(result), list(result), result.to_arrow().num_rows, len(result.to_pandas())) == (0, [], 0, 0)


def test_grep_with_a_bad_expression_names_it(run, kjv):
    with pytest.raises(TaskFailedError, match=r"mapper failed at line 1 of .*\.txt: .*unterminated character set"):
        run(mr.Job(lambda line: (line, 1) if re.search("[a", line) else None), kjv)


def test_words_are_sorted_and_grouped_by_first_letter(run):
    given = "swan bee dog cat ant bear asp duck cow eel emu".split() * 3
    result = run(mr.Job(lambda word: (word[0], word), lambda letter, found: sorted(found)), given, chunk_size=4)
    assert list(result) == [(letter, list(group)) for letter, group in groupby(sorted(given), key=lambda word: word[0])]


def test_mean_median_and_deviation_of_token_length(inline, kjv):
    def lengths(line):
        for token in tokens(line):
            yield "length", len(token)

    reducers = {"n": mr.agg.count, "mean": mr.agg.mean, "median": mr.agg.quantile(0.5), "std": mr.agg.std}
    result = dict(inline(mr.Job(lengths, reducers), kjv))["length"]
    assert (result["n"], result["median"]) == (789_684, 4)
    assert result["mean"] == pytest.approx(4.083178, abs=5e-7)
    assert result["std"] == pytest.approx(1.973464, abs=5e-6)


def test_mean_and_deviation_combine_in_the_mapper(run, kjv):
    def lengths(line):
        for token in tokens(line):
            yield "length", len(token)

    means, deviations = (dict(run(mr.Job(lengths, one), kjv))["length"] for one in (mr.agg.mean, mr.agg.std))
    assert (round(means, 6), round(deviations, 5)) == (4.083178, 1.97346)


def test_inverted_index_of_the_bible(run, kjv):
    def postings(line):
        for token in set(tokens(line)):
            yield token, line.partition(" ")[0]

    index = run(mr.Job(postings, list), kjv)
    assert len(index) == 12_824
    sizes = {token: len(verses) for token, verses in index}
    assert (sum(sizes.values()), sizes["god"]) == (616_271, 3_877)
    assert index["abelmaim"] == ["2Chr16:4"]


def test_bigrams_have_tuples_as_keys(inline, kjv):
    def bigrams(line):
        for pair in pairwise(tokens(line)):
            yield pair, 1

    counts = inline(mr.Job(bigrams, sum), kjv)
    assert len(counts) == 148_287
    assert (counts["of", "the"], counts["the", "lord"]) == (11_528, 6_912)
    assert all(type(key) is tuple for key in counts.keys())  # noqa: SIM118  # a Result is no dict


@pytest.mark.cluster
def test_bigrams_of_the_letters_on_workers(cluster, kjv):
    def bigrams(line):
        for pair in pairwise(tokens(line)):
            yield pair, 1

    with open(kjv.replace("*", "6-letters")) as file:
        expected = Counter(pair for line in file for pair in pairwise(tokens(line)))
    assert dict(mr.run(mr.Job(bigrams, sum), kjv.replace("*", "6-letters"))) == expected


def test_most_frequent_words_in_two_steps(run, kjv):
    count = mr.Job(words, sum)
    best = mr.Job(lambda word, n: ("top", (n, word)), mr.agg.top(3))
    assert dict(run(count.then(best), kjv)) == {"top": [(63_919, "the"), (51_696, "and"), (34_618, "of")]}
