"""One function for each format: ``source(…, format=…)`` with the options spelled out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mrkernel.io.base import Source
from mrkernel.io.registry import files

__all__ = ["read_csv", "read_files", "read_ipc", "read_json", "read_parquet", "read_text"]


def read_text(*locations: str | Path, **options: Any) -> Source:
    """Lines of text files as ``str`` records.

    Options: ``encoding``, ``errors`` ("strict" or "replace"), ``compression``, ``storage_options``.

    >>> read_text("books/*.txt", encoding="latin-1")  # doctest: +SKIP
    """
    return files(*locations, format="text", **options)


def read_csv(*locations: str | Path, **options: Any) -> Source:
    """Rows of CSV files as ``dict`` records.

    Options: ``delimiter``, ``quote_char``, ``header``, ``column_names``, ``columns``, ``types``, ``null_values``,
    ``newlines_in_values``, ``decimal_point``, ``union_by_name``, and those of :func:`read_text`.

    >>> read_csv("flights/*.csv", columns=["carrier", "dep_delay"], types={"dep_delay": float})  # doctest: +SKIP
    """
    return files(*locations, format="csv", **options)


def read_json(*locations: str | Path, **options: Any) -> Source:
    """Values of JSON Lines files, as Python's ``json`` reads them.

    Options: ``columns``, ``types`` (for batches), and those of :func:`read_text`.

    >>> read_json("events/*.jsonl.gz", columns=["user", "at"])  # doctest: +SKIP
    """
    return files(*locations, format="jsonl", **options)


def read_parquet(*locations: str | Path, **options: Any) -> Source:
    """Rows of Parquet files as ``dict`` records.

    Options: ``columns``, ``union_by_name``, ``storage_options``.

    >>> read_parquet("trips/", columns=["distance"])  # doctest: +SKIP
    """
    return files(*locations, format="parquet", **options)


def read_ipc(*locations: str | Path, **options: Any) -> Source:
    """Rows of Arrow IPC or Feather files as ``dict`` records.

    Options: ``columns``, ``union_by_name``, ``compression``, ``storage_options``.

    >>> read_ipc("out/*.arrow")  # doctest: +SKIP
    """
    return files(*locations, format="ipc", **options)


def read_files(*locations: str | Path, **options: Any) -> Source:
    """Whole files as records ``{"path": …, "content": …}``, for small files.

    Options: ``binary``, ``encoding``, ``errors``, ``compression``, ``storage_options``.

    >>> read_files("pages/**/*.html")  # doctest: +SKIP
    """
    return files(*locations, format="files", **options)
