"""The benchmark of the log measures what it says (how fast is for `make bench` to tell)."""

from __future__ import annotations

from pathlib import Path

from bench.log import drafts_of, measure


def test_the_benchmark_gives_every_figure(tmp_path: Path, postgres_dsn: str) -> None:
    figures = measure(tmp_path, 500, postgres_dsn, seed=1)
    assert figures["events"] == 500
    assert 300 < figures["body_bytes"] < 600
    assert all(value > 0 for value in figures.values())
    assert {"sqlite_ratio", "postgres_ratio", "decode_per_second", "decode_evolve_per_second"} <= figures.keys()


def test_the_same_seed_gives_the_same_drafts() -> None:
    assert drafts_of(20, seed=3) == drafts_of(20, seed=3) != drafts_of(20, seed=4)
