"""Which partition a key belongs to: a stable hash that agrees with Python's equality, and users' own partitioners.

Equal keys hash alike whatever column type they travel in (1, 1.0, True and Decimal(1) are one key), in every
process. The hash of text is polars', which is the same in all processes of one version: placement only, never stored.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa

from mrkernel.batches import Column, decode_column, kind_of
from mrkernel.errors import ValueTypeError
from mrkernel.grouping import group, signature

__all__ = ["hash_keys", "partition_ids"]

_NULL, _NAN, _TUPLE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9)
_SALTS = {name: np.uint64(0x27D4EB2F165667C5 * n & 0xFFFFFFFFFFFFFFFF) for n, name in
          enumerate(("float", "naive", "aware", "date", "time", "duration", "other", "decimal"), start=3)}  # fmt: skip
_EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # what naive values are counted from
_EPOCH_UTC = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)


def partition_ids(column: Column, n_partitions: int, partitioner: Callable[[Any, int], int] | None) -> np.ndarray:
    """The partition of each row, as uint8 where that is enough (NumPy sorts it by radix), else uint16 or uint32.

    Raises
    ------
    ValueTypeError
        If the user's partitioner returns something other than an int from 0 to ``n_partitions - 1``.
    """
    kind = np.uint8 if n_partitions <= 256 else np.uint16 if n_partitions <= 65536 else np.uint32
    if n_partitions == 1 and partitioner is None:
        return np.zeros(len(column[0]), kind)
    if partitioner is not None:
        groups = group(column)
        chosen = [_checked(partitioner(key, n_partitions), key, n_partitions) for key in decode_column(*groups.keys)]
        ids: np.ndarray = np.array(chosen, kind)[groups.codes]
        return ids
    high = hash_keys(column) >> np.uint64(32)
    return ((high * np.uint64(n_partitions)) >> np.uint64(32)).astype(kind)


def _checked(number: Any, key: Any, n_partitions: int) -> int:
    if isinstance(number, (int, np.integer)) and 0 <= number < n_partitions:
        return int(number)
    raise ValueTypeError(
        f"the partitioner returned {number!r} for the key {key!r}; it must return an int from 0 to {n_partitions - 1}",
        hint="take the remainder: return number % partitions",
    )


def hash_keys(column: Column) -> np.ndarray:
    """A 64-bit hash of each key, as uint64."""
    array, field = column
    if isinstance(array, pa.ChunkedArray):
        return np.concatenate([np.empty(0, np.uint64), *(hash_keys((piece, field)) for piece in array.chunks)])
    kind = array.type
    if kind_of(field) == "object" or pa.types.is_decimal(kind):
        return _hash_objects(decode_column(array, field))
    if pa.types.is_null(kind):
        return np.full(len(array), _NULL)
    if pa.types.is_struct(kind):
        return _combine([hash_keys((child, kind.field(n))) for n, child in enumerate(array.flatten())])
    hashes = _hash_plain(array.fill_null(_zero(kind)) if array.null_count else array)
    if array.null_count:
        hashes = np.where(array.is_null().to_numpy(zero_copy_only=False), _NULL, hashes)
    return hashes


def _zero(kind: pa.DataType) -> pa.Scalar:
    if pa.types.is_fixed_size_binary(kind):
        return pa.scalar(bytes(kind.byte_width), kind)
    text = pa.types.is_large_string(kind) or pa.types.is_string(kind)
    binary = pa.types.is_large_binary(kind) or pa.types.is_binary(kind)
    return (
        pa.scalar("" if text else b"", kind) if text or binary else pa.scalar(0, pa.int64()).cast(_raw(kind)).cast(kind)
    )


def _raw(kind: pa.DataType) -> pa.DataType:
    return pa.int32() if pa.types.is_date32(kind) or pa.types.is_time32(kind) else pa.int64()


def _hash_plain(array: pa.Array) -> np.ndarray:
    kind = array.type
    if pa.types.is_floating(kind):
        return _hash_floats(array.cast(pa.float64()).to_numpy())
    if pa.types.is_uint64(kind):
        return _hash_objects(array.to_pylist())
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return _mix(array.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64))
    if pa.types.is_timestamp(kind):
        return _salted(array.cast(pa.timestamp("us", kind.tz), safe=False), "aware" if kind.tz else "naive")
    for name, test in (("date", pa.types.is_date), ("time", pa.types.is_time), ("duration", pa.types.is_duration)):
        if test(kind):
            unit = {"date": pa.date32(), "time": pa.time64("us"), "duration": pa.duration("us")}[name]
            return _salted(array.cast(unit, safe=False), name)
    return _hash_text(array)


def _salted(array: pa.Array, name: str) -> np.ndarray:
    numbers = array.cast(_raw(array.type)).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return _mix(numbers.view(np.uint64) ^ _SALTS[name])


def _hash_text(array: pa.Array) -> np.ndarray:
    import polars as pl

    series = pl.from_arrow(array)
    assert isinstance(series, pl.Series)
    return series.hash(0).to_numpy()


def _mix(bits: np.ndarray) -> np.ndarray:
    """The 64-bit finaliser of MurmurHash3 (Austin Appleby, public domain)."""
    mixed: np.ndarray = bits ^ (bits >> np.uint64(33))
    mixed = mixed * np.uint64(0xFF51AFD7ED558CCD)
    mixed ^= mixed >> np.uint64(33)
    mixed *= np.uint64(0xC4CEB9FE1A85EC53)
    mixed ^= mixed >> np.uint64(33)
    return mixed


def _hash_floats(values: np.ndarray) -> np.ndarray:
    whole = (np.floor(values) == values) & (values >= -(2.0**63)) & (values < 2.0**63)
    integers = np.where(whole, values, 0.0).astype(np.int64).view(np.uint64)
    bits = np.where(whole, integers, values.view(np.uint64) ^ _SALTS["float"])
    return np.where(np.isnan(values), _NAN, _mix(bits))


def _combine(children: list[np.ndarray]) -> np.ndarray:
    combined = np.full(len(children[0]), _TUPLE + np.uint64(len(children)))
    for child in children:
        combined = _mix(combined * np.uint64(31) + child)
    return combined


def _hash_objects(keys: list[Any]) -> np.ndarray:
    """Hashes of mixed Python keys, family by family so that each is hashed as its own column would be."""
    hashes = np.empty(len(keys), np.uint64)
    families: dict[tuple[str, int], list[int]] = {}
    for row, key in enumerate(keys):
        families.setdefault(_family(key), []).append(row)
    for (name, _), rows in families.items():
        members = [keys[row] for row in rows]
        hashes[rows] = _hash_family(name, members)
    return hashes


def _family(key: Any) -> tuple[str, int]:
    if key is None:
        return ("null", 0)
    if isinstance(key, enum.Enum) and not isinstance(key, (int, str)):
        return ("other", 0)
    if isinstance(key, (int, np.integer)):
        return ("int", 0) if -(2**63) <= key < 2**63 else ("number", 0)
    if isinstance(key, (float, np.floating)):
        return ("float", 0)
    if isinstance(key, str):
        return ("text", 0)
    if isinstance(key, tuple):
        return ("tuple", len(key))
    if isinstance(key, (Decimal, Fraction, complex)):
        return ("number", 0)
    if isinstance(key, dt.datetime):
        return ("aware" if key.utcoffset() is not None else "naive", 0)
    return ("other", 0)


def _hash_family(name: str, members: list[Any]) -> np.ndarray:
    if name == "null":
        return np.full(len(members), _NULL)
    if name == "int":
        return _mix(np.array([int(key) for key in members], np.int64).view(np.uint64))
    if name == "float":
        return _hash_floats(np.array(members, np.float64))
    if name == "tuple":
        columns = [_hash_objects(list(items)) for items in zip(*members, strict=True)]
        return _combine(columns) if columns else np.full(len(members), _TUPLE)
    if name in {"naive", "aware"}:
        start = _EPOCH if name == "naive" else _EPOCH_UTC
        # Python's equality within a zone does not look at fold.
        plain = [key.replace(fold=0) if key.fold else key for key in members]
        micros = [(key.replace(tzinfo=None) if name == "naive" else key) - start for key in plain]
        return _mix(np.array([span // _MICROSECOND for span in micros], np.int64).view(np.uint64) ^ _SALTS[name])
    if name == "text":
        return _hash_texts(members)
    return np.array([_hash_number(key) if name == "number" else _hash_other(key) for key in members], np.uint64)


def _hash_texts(members: list[str]) -> np.ndarray:
    try:
        return _hash_text(pa.array([str(key) for key in members], pa.large_string()))
    except UnicodeEncodeError:
        # Lone surrogates fit no Arrow text; such a key only ever equals its like.
        return np.concatenate(
            [
                _hash_text(pa.array([key]))
                if key.isprintable() or key.encode("utf-8", "ignore").decode() == key
                else np.array([_digest(key.encode("utf-8", "surrogatepass"))])
                for key in members
            ]
        )


def _hash_number(key: Any) -> int:
    """The hash of a number that no column of numbers holds: Decimal, Fraction, complex, a huge integer.

    It is that of the int or float it equals, else Python's numeric hash, which is equal for equal numbers of any type
    and not randomised.
    """
    if isinstance(key, complex):
        if key.imag:
            return _mixed_hash(key)
        key = key.real
    if key != key:
        return int(_NAN)
    # Range first: what lies in it is quick to make an int of, and Decimal's own // 1 fails beyond 28 digits.
    if -(2**63) <= key < 2**63 and key == int(key):
        return int(_mix(np.array([int(key)], np.int64).view(np.uint64))[0])
    try:
        if float(key) == key:
            return int(_hash_floats(np.array([float(key)]))[0])
    except OverflowError:
        pass
    return _mixed_hash(key)


def _mixed_hash(key: Any) -> int:
    """Python's numeric hash, which fills 61 bits, spread over 64: its high bits choose the partition."""
    return int(_mix(np.array([hash(key)], np.int64).view(np.uint64))[0])


def _hash_other(key: Any) -> int:
    if isinstance(key, bytes):
        return int(_hash_text(pa.array([key], pa.large_binary()))[0])
    if isinstance(key, dt.date):
        return int(_salted(pa.array([key], pa.date32()), "date")[0])
    if isinstance(key, dt.timedelta):
        return int(_mix(np.array([key // _MICROSECOND], np.int64).view(np.uint64) ^ _SALTS["duration"])[0])
    if isinstance(key, dt.time) and key.tzinfo is None:
        return int(_salted(pa.array([key], pa.time64("us")), "time")[0])
    if isinstance(key, frozenset):
        return int(np.bitwise_xor.reduce(_hash_objects(list(key)), initial=_SALTS["other"]))
    return _digest(signature(key).encode("utf-8", "surrogatepass"))


def _digest(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")
