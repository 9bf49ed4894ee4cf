"""Programs over tables, graphs and generated records, with answers that were computed independently of mrkernel."""

from __future__ import annotations

import csv
import hashlib
import random
import sqlite3
import zlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import mrkernel as mr


@pytest.fixture(scope="module")
def flight_rows(flights):
    return pq.read_table(flights / "flights.parquet")


# -- flights ---------------------------------------------------------------------------------------------------


def test_mean_delay_by_carrier_of_parquet(run, flights):
    result = run(mr.Job(lambda row: (row["carrier"], row["arr_delay"]), mr.agg.mean), flights / "flights.parquet")
    delays = dict(result)
    assert (round(delays["AS"], 4), round(delays["F9"], 4), len(delays)) == (-9.9309, 21.9207, 16)


def test_flights_by_carrier_count_missing_delays_apart(run, flights):
    def mapper(row):
        if row["arr_delay"] is None:
            mr.counter("missing")
        yield row["carrier"], row["arr_delay"]

    result = run(mr.Job(mapper, {"flights": mr.agg.count, "delay": mr.agg.mean}), flights / "flights.parquet")
    counts = {carrier: row["flights"] for carrier, row in result}
    assert (counts["UA"], counts["B6"], sum(counts.values())) == (58_665, 54_635, 336_776)
    assert result.counters == {"missing": 9_430}


@pytest.mark.parametrize("kind", ["pa.RecordBatch", "pl.DataFrame", "pd.DataFrame"])
def test_mean_delay_by_batch_mappers(inline, flights, kind):
    def by_arrow(batch: pa.RecordBatch):
        return batch.select(["carrier", "arr_delay"])

    def by_polars(batch: pl.DataFrame):  # noqa: F821  # the annotation is what is tested, the package is not needed
        return batch.select("carrier", "arr_delay")

    def by_pandas(batch: pd.DataFrame):
        return batch[["carrier", "arr_delay"]]

    mapper = {"pa.RecordBatch": by_arrow, "pl.DataFrame": by_polars, "pd.DataFrame": by_pandas}[kind]
    delays = dict(inline(mr.Job(mapper, mr.agg.mean), flights / "flights.parquet"))
    assert (round(delays["AS"], 4), round(delays["F9"], 4), len(delays)) == (-9.9309, 21.9207, 16)


def test_mean_delay_by_carrier_of_a_compressed_csv(run, flights):
    result = run(mr.Job(lambda row: (row["carrier"], row["arr_delay"]), mr.agg.mean),
                 mr.read_csv(flights / "flights-2013-01.csv.gz", null_values=["NA"]))  # fmt: skip
    table = pyarrow.csv.read_csv(flights / "flights-2013-01.csv.gz",
                                 convert_options=pyarrow.csv.ConvertOptions(null_values=["NA"]))  # fmt: skip
    expected = table.to_pandas().groupby("carrier")["arr_delay"].mean()
    assert dict(result) == pytest.approx(expected.to_dict(), abs=1e-12)


def test_exact_median_by_carrier_is_that_of_pandas(inline, flights, flight_rows):
    job = mr.Job(lambda row: (row["carrier"], row["arr_delay"]), mr.agg.quantile(0.5))
    assert (
        dict(inline(job, flights / "flights.parquet"))
        == flight_rows.to_pandas().groupby("carrier")["arr_delay"].median().to_dict()
    )


def test_global_quantiles_are_exact(inline, flights):
    job = mr.Job(lambda row: ("all", row["arr_delay"]), {"median": mr.agg.quantile(0.5), "p99": mr.agg.quantile(0.99)})
    assert dict(inline(job, flights / "flights.parquet")) == {"all": {"median": -5.0, "p99": 190.0}}


def test_distinct_count_leaves_missing_values_out(run, flights):
    job = mr.Job(lambda row: ("aeroplanes", row["tailnum"]), mr.agg.distinct)
    assert dict(run(job, flights / "flights.parquet")) == {"aeroplanes": 4_043}


# -- joins -----------------------------------------------------------------------------------------------------


def join(tailnum, rows):
    """Flights of one aeroplane: how many, and whether the aeroplane is known."""
    sides = [side for side, _ in rows]
    yield ("known" if "plane" in sides else "unknown", tailnum), sides.count("flight")


def total(key, flights):
    return key[0], flights


def test_join_on_the_reduce_side_of_two_tagged_results(inline, flights):
    planes = inline(mr.Job(lambda row: (row["tailnum"], ("plane", row["model"]))), flights / "planes.csv")
    legs = inline(mr.Job(lambda row: (row["tailnum"], ("flight", row["dest"]))), flights / "flights.parquet")
    assert (len(planes), len(legs)) == (3_322, 336_776)
    job = mr.Job(None, join).then(mr.Job(total, sum))
    assert dict(inline(job, [*planes, *legs])) == {"known": 284_170, "unknown": 52_606}


@pytest.mark.cluster
def test_join_on_the_reduce_side_on_workers(cluster, flights, flight_rows):
    january = flight_rows.filter(pc.equal(flight_rows["month"], 1))
    with open(flights / "planes.csv", newline="") as file:
        known = {row["tailnum"] for row in csv.DictReader(file)}
    tagged = [(tailnum, ("plane", 0)) for tailnum in known]
    tagged += [(tailnum, ("flight", n)) for n, tailnum in enumerate(january["tailnum"].to_pylist())]
    job = mr.Job(lambda tailnum, row: (tailnum, row), join).then(mr.Job(total, sum))
    matched = sum(tailnum in known for tailnum in january["tailnum"].to_pylist())
    assert dict(mr.run(job, tagged, chunk_size="50 kB", reducers=3)) == {"known": matched, "unknown": 27_004 - matched}


def test_join_on_the_map_side_with_a_table_of_setup(run, flights):
    planes = str(flights / "planes.csv")

    def load():
        with open(planes, newline="") as file:
            return {row["tailnum"] for row in csv.DictReader(file)}

    def mapper(row):
        yield row["tailnum"] in mr.context().state, 1

    assert dict(run(mr.Job(mapper, sum, setup=load), flights / "flights.parquet")) == {False: 52_606, True: 284_170}


# -- sorting ---------------------------------------------------------------------------------------------------


def test_secondary_sort_gives_values_ascending(run):
    draw = random.Random(5)
    pairs = [(draw.randrange(20), draw.randrange(1000)) for _ in range(2000)]
    result = run(mr.Job(None, lambda key, values: list(values), sort_values=True), pairs, chunk_size="4 kB", reducers=3)
    assert dict(result) == {key: sorted(value for one, value in pairs if one == key) for key, _ in pairs}


def test_secondary_sort_takes_a_key_of_the_value(run):
    pairs = [("a", (3, "x")), ("a", (1, "z")), ("a", (2, "y")), ("b", (1, "w"))]
    job = mr.Job(None, lambda key, values: [name for _, name in values], sort_values=lambda value: value[1])
    assert dict(run(job, pairs, chunk_size=1)) == {"a": ["x", "y", "z"], "b": ["w"]}


def record(n):
    """TeraGen: 100 bytes, the first ten of which are the key."""
    digest = b"".join(hashlib.blake2b(b"%d/%d" % (n, part)).digest() for part in range(2))
    return digest[:10], digest[10:100]


@pytest.mark.parametrize("reducers", [1, 3, 8])
def test_terasort_orders_all_records_and_loses_none(run, reducers):
    result = run(mr.Job(record, sort="key"), range(20_000), chunk_size=20_000, reducers=reducers)
    rows = list(result)
    expected = [record(n) for n in range(20_000)]
    assert [key for key, _ in rows] == sorted(key for key, _ in expected)
    assert sum(zlib.crc32(key + value) for key, value in rows) == sum(
        zlib.crc32(key + value) for key, value in expected
    )
    assert result.num_parts == reducers


# -- iterations ------------------------------------------------------------------------------------------------


def share(node, state):
    rank, neighbours = state
    yield node, ("links", neighbours)
    for neighbour in neighbours:
        yield neighbour, ("share", rank / len(neighbours))


def gather(node, values):
    links, total = [], 0.0
    for kind, value in values:
        if kind == "links":
            links = value
        else:
            total += value
    return 0.15 / 34 + 0.85 * total, links


def pagerank(run, n_steps):
    import networkx as nx

    graph = nx.karate_club_graph()
    ranks = [(node, (1 / len(graph), sorted(graph[node]))) for node in graph]
    for _ in range(n_steps):
        ranks = run(mr.Job(share, gather), ranks)
    return {node: rank for node, (rank, _) in ranks}


def test_pagerank_by_results_that_feed_jobs(inline):
    ranks = pagerank(inline, 50)
    assert [round(ranks[node], 6) for node in (33, 0, 32)] == [0.100919, 0.096997, 0.071693]


def test_pagerank_is_bit_by_bit_the_same_on_both_executors(run, inline):
    assert pagerank(run, 4) == pagerank(inline, 4)


def lloyd(points, centres):
    nearest = ((points[:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    return np.array([points[nearest == n].mean(axis=0) for n in range(len(centres))])


def test_k_means_on_iris_is_lloyds_in_numpy(run):
    from sklearn.datasets import load_iris

    points = load_iris().data
    found = expected = points[[0, 50, 100]]
    for _ in range(4):
        centres = found

        def nearest(point, centres=centres):
            distances = ((centres - point) ** 2).sum(axis=1)
            yield int(distances.argmin()), dict(zip("abcd", point.tolist(), strict=True))

        means = dict(run(mr.Job(nearest, mr.agg.mean), list(points)))
        found = np.array([list(means[n].values()) for n in range(3)])
        expected = lloyd(points, expected)
    assert np.abs(found - expected).max() < 1e-9


# -- one billion rows, fewer -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weather(tmp_path_factory):
    draw = random.Random(1)
    names = [f"{name}{n}" for n in range(150) for name in ("Zürich", "São Paulo", "北京", "Abha")]
    rows = [(draw.choice(names), draw.randrange(-999, 1000)) for _ in range(40_000)]
    path = tmp_path_factory.mktemp("weather") / "measurements.txt"
    path.write_text(
        "".join(f"{name};{'-' if t < 0 else ''}{abs(t) // 10}.{abs(t) % 10}\n" for name, t in rows), encoding="utf-8"
    )
    expected: dict[str, list[int]] = {}
    for name, tenths in rows:
        expected.setdefault(name, []).append(tenths)
    return path, expected


def test_one_billion_row_challenge_with_exact_means(run, weather):
    path, expected = weather

    def mapper(line):
        station, _, temperature = line.partition(";")
        yield station, int(temperature.replace(".", ""))

    reducers = {"min": mr.agg.min, "mean": mr.agg.mean, "max": mr.agg.max}
    found = dict(run(mr.Job(mapper, reducers), path, chunk_size="100 kB"))
    assert found == {
        name: {"min": min(tenths), "mean": sum(tenths) / len(tenths), "max": max(tenths)}
        for name, tenths in expected.items()
    }


def test_one_billion_row_challenge_on_floats_rounds_to_the_same_tenths(inline, weather):
    path, expected = weather

    def mapper(line):
        station, _, temperature = line.partition(";")
        yield station, float(temperature)

    found = dict(inline(mr.Job(mapper, mr.agg.mean), path, chunk_size="100 kB"))
    assert {name: round(mean, 9) for name, mean in found.items()} == {
        name: round(sum(tenths) / len(tenths) / 10, 9) for name, tenths in expected.items()
    }


def test_page_views_of_a_database_cursor(run):
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE views (url TEXT, day INT)")
    draw = random.Random(3)
    connection.executemany("INSERT INTO views VALUES (?, ?)", [(f"/page{draw.randrange(9)}", n) for n in range(500)])
    expected = dict(connection.execute("SELECT url, count(*) FROM views GROUP BY url"))
    found = run(mr.Job(lambda row: (row[0], 1), sum), connection.execute("SELECT url, day FROM views"))
    connection.close()
    assert dict(found) == expected
