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
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tests.benchmarks.serve import Digest, digest

__all__ = ["expected", "text_file", "vocabulary"]

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".bench" / "data"
KJV = ROOT / "notebooks" / "data" / "kjv"

SEED = 7
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
    path = CACHE / f"text-{SEED}-{size_bytes}.txt"
    if not path.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            left = size_bytes
            for block in _blocks():
                cut = block if len(block) <= left else block[: block.rfind(b"\n", 0, left) + 1]
                file.write(cut)
                left -= len(cut)
                if len(cut) < len(block) or left <= 0:
                    break
        part.rename(path)
    return path


def vocabulary(size: int) -> list[str]:
    """``size`` distinct words, the most frequent first."""
    cached = CACHE / f"words-{SEED}-{size}.json"
    if not cached.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
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


def expected(path: Path) -> Digest:
    """The right answer for a text file's word count, by plain Python, worked out once."""
    cached = path.with_suffix(".answer.json")
    if not cached.exists():
        counts: Counter[str] = Counter()
        with path.open(encoding="utf-8") as file:
            for line in file:
                counts.update(line.split())
        cached.write_text(json.dumps(digest(counts.items())), "utf-8")
    answer: Digest = json.loads(cached.read_text("utf-8"))
    return answer
