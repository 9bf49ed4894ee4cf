"""dask.bag on worker processes of its own."""

from __future__ import annotations

import dask
import dask.bag as db
from distributed import Client, LocalCluster

from tests.benchmarks.contenders import Engine

__all__ = ["frequencies"]


def frequencies(cores: int) -> Engine:
    """``read_text`` and ``frequencies``, as in dask's own first example."""
    cluster = LocalCluster(n_workers=cores, threads_per_worker=1, processes=True, dashboard_address=None)
    client = Client(cluster)

    def run(path: str) -> dict[str, int]:
        words = db.read_text(path, blocksize=16_000_000).map(str.split).flatten()
        return dict(words.frequencies().compute(scheduler=client))

    def stop() -> None:
        client.close()
        cluster.close()

    return Engine(run=run, pairs=dict.items, version=f"dask {dask.__version__}", stop=stop)
