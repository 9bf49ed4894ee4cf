"""Seeded text of any size with as many distinct words as real documentation has.

The model is a sample of 100 MB of English documentation: 15.3 million words, 520,000 of them distinct, lines of 73
bytes. The words here come in order of their frequency from the King James Bible, then from a Markov chain over its
letters; how often each occurs follows Zipf and Mandelbrot's law, p(rank) ~ 1 / (rank + SHIFT) ** EXPONENT. Measured:

    ========  ============  ==============  ===========
    size      words         distinct words  bytes/line
    ========  ============  ==============  ===========
    10 MB        1,496,777         193,425           73
    100 MB      14,962,347         521,425           74
    1 GB       149,614,383         579,999           74
    ========  ============  ==============  ===========
"""

from __future__ import annotations

import json
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.benchmarks import answers
from tests.benchmarks.answers import Digest
from tests.benchmarks.data import store
from tests.benchmarks.data.store import ROOT, SEED

__all__ = ["numbered_lines", "text_file", "vocabulary", "word_counts"]

KJV = ROOT / "notebooks" / "data" / "kjv"

DISTINCT = 580_000
SHIFT = 3.0
EXPONENT = 1.08
BLOCK_WORDS = 1_000_000
# A few letters outside ASCII, as real text has: a reader that miscounts bytes as letters is found out.
ACCENTS = {"e": "é", "u": "ü", "n": "ñ", "o": "ø"}


def text_file(size_bytes: int) -> Path:
    """A file of ``size_bytes`` (to within one line) of words, made once and kept in ``.bench/data``.

    Lines end in a newline; words are separated by one space; there is no other white space.
    """

    def write(part: Path) -> None:
        with part.open("wb") as file:
            file.writelines(_cut(size_bytes))

    return store.made(f"text-{SEED}-{size_bytes}.txt", write)


def numbered_lines(size_bytes: int) -> Path:
    """The same text, each line with its number and a tab before it; its answer is which lines each word is in."""

    def write(part: Path) -> Digest:
        words: set[str] = set()
        check = total = number = 0
        with part.open("w", encoding="utf-8") as file:
            for block in _cut(size_bytes):
                for line in block.decode().splitlines():
                    file.write(f"{number}\t{line}\n")
                    found = set(line.split())
                    words |= found
                    total += len(found)
                    check += number * sum(zlib.crc32(word.encode()) for word in found)
                    number += 1
        return {"distinct": len(words), "total": total, "check": check % 2**53}

    return store.answered(f"lines-{SEED}-{size_bytes}.tsv", write)


def vocabulary(size: int) -> list[str]:
    """``size`` distinct words, the most frequent first."""
    cached = store.CACHE / f"words-{SEED}-{size}.json"
    if not cached.exists():
        store.CACHE.mkdir(parents=True, exist_ok=True)
        text = "".join(file.read_text("ascii") for file in sorted(KJV.glob("*.txt"))).lower()
        counted = Counter(re.findall(r"[a-z]+", re.sub(r"^\S+ ", "", text, flags=re.MULTILINE)))
        known = [word for word, _ in counted.most_common(size)]
        cached.write_text(json.dumps(known + _invented(known, size - len(known))), "utf-8")
    words: list[str] = json.loads(cached.read_text("utf-8"))
    return words


def _invented(known: list[str], count: int) -> list[str]:
    """Words that look like ``known`` ones: each letter follows the three before it as it does there."""
    rng = random.Random(SEED)
    after: defaultdict[str, list[str]] = defaultdict(list)
    for word in known:
        padded = f"^^^{word}$"
        for i in range(3, len(padded)):
            after[padded[i - 3 : i]].append(padded[i])
    seen, made = set(known), []
    while len(made) < count:
        word = "^^^"
        while (letter := rng.choice(after[word[-3:]])) != "$" and len(word) < 20:
            word += letter
        word = word[3:]
        if rng.random() < 0.03:
            word = "".join(ACCENTS.get(letter, letter) for letter in word)
        if word in seen:
            # The chain runs dry of new words long before half a million: join two, as compounds and identifiers do.
            word += rng.choice(known[500:4000])
        if word not in seen:
            seen.add(word)
            made.append(word)
    return made


def _cut(size_bytes: int) -> Iterator[bytes]:
    """So many bytes of text, to within one line."""
    left = size_bytes
    for block in _blocks():
        cut = block if len(block) <= left else block[: block.rfind(b"\n", 0, left) + 1]
        yield cut
        left -= len(cut)
        if len(cut) < len(block) or left <= 0:
            break


def _blocks() -> Iterator[bytes]:
    """Endless lines of text, a million words at a time."""
    words = pa.array(vocabulary(DISTINCT), pa.string())
    weights = 1.0 / (np.arange(len(words)) + SHIFT) ** EXPONENT
    cumulated = np.cumsum(weights / weights.sum())
    rng = np.random.default_rng(SEED)
    while True:
        ranks = np.searchsorted(cumulated, rng.random(BLOCK_WORDS)).clip(max=len(words) - 1)
        # Lines of 4 to 18 words, mostly about 11: the sum of two dice.
        lengths = rng.integers(2, 10, (2, BLOCK_WORDS // 4)).sum(axis=0)
        ends = np.cumsum(lengths)
        ends = np.append(ends[ends < BLOCK_WORDS], BLOCK_WORDS)
        offsets = pa.array(np.insert(ends, 0, 0), pa.int32())
        lines = pa.ListArray.from_arrays(offsets, words.take(pa.array(ranks)))
        text = pc.binary_join(lines, " ")
        yield ("\n".join(text.to_pylist()) + "\n").encode()


def word_counts(path: Path) -> Digest:
    """The right answer for a text file's word count, by plain Python, worked out once."""
    return store.expected(path, _counted)


def _counted(path: Path) -> Digest:
    counts: Counter[str] = Counter()
    with path.open(encoding="utf-8") as file:
        for line in file:
            counts.update(line.split())
    return answers.counts(pa.table({"word": list(counts), "n": list(counts.values())}))
