"""How fast the log appends and reads: against the bare database, in the same run, on the same rows.

Protocol: threats of some hundred bytes in a few hundred streams, 1,000 a commit. Five rounds; in each, a fresh log and
a fresh bare table with the same columns and indexes are filled one after the other. Figures are medians.
"""

from __future__ import annotations

import gc
import random
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import UUID, uuid5

from adapters.collector import collector_paused
from adapters.log.base import ChainedLog
from adapters.log.chain import Row
from adapters.log.memory import MemoryLog
from bench.rate import Rate, rate_of
from domain.events import Fact
from domain.facts.threat import ThreatContinued
from domain.journal import Draft, follow
from domain.sighting import Feature, Vote
from domain.values import NAMESPACE, SECOND

ROUNDS = 5
COMMIT = 1000
STREAMS = 300


def drafts_of(events: int, seed: int) -> list[Draft]:
    """Threats that go on: what most of a busy log is made of."""
    rng = random.Random(seed)
    return [_draft(number, rng) for number in range(events)]


def measure(folder: Path, events: int, postgres_dsn: str | None, seed: int) -> dict[str, float]:
    """Figures of the log.

    Args:
        folder: where the files go: an empty folder on the disk that is to be measured.
        events: how many a round.
        postgres_dsn: a server to measure too, or None.
        seed: of the generated facts.
    """
    drafts = drafts_of(events, seed)
    rows = _rows_of(drafts)
    gc.collect()
    gc.freeze()  # the input is not part of the work
    figures = {"events": float(events), "body_bytes": sum(len(row[15]) for row in rows) / len(rows)}
    figures |= _compare("sqlite", "executemany", lambda n: _sqlite(folder / f"log-{n}.sqlite", drafts),
                        lambda n: _bare_sqlite(folder / f"bare-{n}.sqlite", rows))  # fmt: skip
    if postgres_dsn:
        figures |= _compare("postgres", "copy", lambda n: _postgres(postgres_dsn, f"bench_log_{n}", drafts),
                            lambda n: _bare_postgres(postgres_dsn, f"bench_bare_{n}", rows))  # fmt: skip
    figures |= _reading(folder / "log-0.sqlite", events)
    gc.unfreeze()
    return figures


def _compare(name: str, other: str, ours: Callable[[int], float], bare: Callable[[int], float]) -> dict[str, float]:
    pairs = [(ours(number), bare(number)) for number in range(ROUNDS)]
    return {
        f"{name}_appends_per_second": median(pair[0] for pair in pairs),
        f"{name}_{other}_per_second": median(pair[1] for pair in pairs),
        f"{name}_ratio": median(pair[0] / pair[1] for pair in pairs),
    }


def _sqlite(file: Path, drafts: Sequence[Draft]) -> float:
    from adapters.log.sqlite import SQLiteLog

    with closing(SQLiteLog(file, count().__next__)) as log:
        return _append(log, drafts)


def _postgres(dsn: str, schema: str, drafts: Sequence[Draft]) -> float:
    from adapters.log.postgres import PostgresLog

    with _schema(dsn, schema), closing(PostgresLog(dsn, count().__next__, schema)) as log:
        return _append(log, drafts)


@contextmanager
def _schema(dsn: str, name: str) -> Iterator[None]:
    """Afterwards, as before, there is no such schema."""
    import psycopg
    from psycopg.sql import SQL, Identifier

    drop = SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(name))
    with psycopg.connect(dsn, autocommit=True, options="-c client_min_messages=warning") as connection:
        connection.execute(drop)
        yield
        connection.execute(drop)


def _append(log: ChainedLog, drafts: Sequence[Draft]) -> float:
    began = perf_counter()
    for start in range(0, len(drafts), COMMIT):
        log.append(drafts[start : start + COMMIT])
    return len(drafts) / (perf_counter() - began)


def _bare_sqlite(file: Path, rows: Sequence[Row]) -> float:
    from adapters.log.sqlite import INSERT, TABLES

    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(TABLES[0])
        began = perf_counter()
        for start in range(0, len(rows), COMMIT):
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(INSERT, rows[start : start + COMMIT])
            connection.execute("COMMIT")
        return len(rows) / (perf_counter() - began)


def _bare_postgres(dsn: str, schema: str, rows: Sequence[Row]) -> float:
    import psycopg
    from psycopg.sql import SQL, Identifier

    from adapters.log.postgres import COPY, COPY_TYPES, TABLES

    with _schema(dsn, schema), psycopg.connect(dsn, autocommit=True) as connection:
        for statement in TABLES[:2]:
            connection.execute(SQL(statement).format(schema=Identifier(schema)))
        query = SQL(COPY).format(schema=Identifier(schema))
        began = perf_counter()
        for start in range(0, len(rows), COMMIT):
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                copy.set_types(COPY_TYPES)
                for row in rows[start : start + COMMIT]:
                    copy.write_row(row)
        return len(rows) / (perf_counter() - began)


def _reading(file: Path, events: int) -> dict[str, float]:
    from adapters.log.sqlite import SQLiteLog

    with closing(SQLiteLog(file, count().__next__)) as log:
        plain = _median(rate_of(events, lambda: _drain(log, None)) for _ in range(ROUNDS))
        folded = _median(rate_of(events, lambda: _drain(log, _evolve)) for _ in range(ROUNDS))
        walked = rate_of(events, lambda: _verify(log))
    return plain.figures("decode") | folded.figures("decode_evolve") | walked.figures("verify")


def _median(rates: Iterable[Rate]) -> Rate:
    wall, cpu = zip(*rates, strict=True)
    return Rate(median(wall), median(cpu))


def _drain(log: ChainedLog, evolve: Callable[[int, Fact], int] | None) -> None:
    state = 0
    with collector_paused():  # as every follower of the house reads
        for facts in follow(log):
            if evolve:
                for fact in facts:
                    state = evolve(state, fact.fact)


def _verify(log: ChainedLog) -> None:
    if not log.verify().ok:
        raise RuntimeError("the log of the benchmark does not verify")


def _evolve(state: int, fact: Fact) -> int:
    return state + 1 if fact.kind == ThreatContinued.kind else state


def _rows_of(drafts: Sequence[Draft]) -> list[Row]:
    with closing(MemoryLog(count().__next__)) as log:
        log.append(drafts)
        return log.rows()


def _draft(number: int, rng: random.Random) -> Draft:
    threat = uuid5(NAMESPACE, f"bench|{rng.randrange(STREAMS)}")
    host = f"10.0.{rng.randrange(256)}.{rng.randrange(256)}"
    fact = ThreatContinued(
        threat=threat,
        entity=host,
        threat_kind="beacon",
        title=f"{host} calls home at a regular beat",
        score=round(rng.uniform(1, 9), 6),
        risk=7.25,
        level="high",
        confidence=0.9,
        techniques=(),
        rules=(),
        detail="",
        last_seen=number * SECOND,
        peers=("203.0.113.7",),
        votes=(Vote(model="behaviour", version="1", p=None, vote=True),),
        features=(Feature(name="interval", value=round(rng.uniform(1, 60), 6), unit="s", baseline=30.0),),
        flow_count=number,
        flows=(),
        row=number,
        first_seen=0,
    )
    return Draft(
        event_id=UUID(int=rng.getrandbits(128)),
        stream=f"threat/{threat}",
        fact=fact,
        occurred_at=number * SECOND,
        actor="detector",
        causation=UUID(int=rng.getrandbits(128)),
        correlation=threat,
    )
