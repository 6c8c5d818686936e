"""How the parts are: regions by their last report, followers by their faults, jobs and models by what they last did."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import BigInteger, Select, select
from sqlmodel import Field

from domain.facts import alert, assessment, incident, response, threat
from domain.facts.model import BaselineWarming, ModelRetired
from domain.facts.operation import (
    FollowerFault,
    HealthReported,
    JobFailed,
    JobFinished,
    JobStarted,
    ModelTrained,
    RulesLoaded,
)
from domain.facts.telemetry import BaselineLearned, StateEvicted
from domain.journal import Recorded
from domain.moments import rfc3339
from projections.view import Handler, Row, Rows, View, ViewTable, facts_of, plain


class Part(ViewTable, table=True):
    """A part, by its kind and name: `region/<name>`, `job/<name>`, `model/<feed>.<name>`, and so on."""

    __tablename__ = "health"

    part: str = Field(primary_key=True)
    kind: str = Field(index=True)
    name: str
    state: str
    since: int = Field(sa_type=BigInteger)
    heard_at: int = Field(sa_type=BigInteger)
    count: int = Field(sa_type=BigInteger)
    detail: str


def _told(rows: Rows, recorded: Recorded, part: tuple[str, str], state: str, detail: object) -> Iterable[Row]:
    """One more word of a part: `since` is when it came into its state, `count` how often it was heard of."""
    kind, name = part[0], plain(part[1])
    row = rows.get(f"{kind}/{name}")
    same = row is not None and row["state"] == state
    yield {
        "part": f"{kind}/{name}",
        "kind": kind,
        "name": name,
        "state": state,
        "since": row["since"] if row and same else recorded.occurred_at,
        "heard_at": recorded.recorded_at,
        "count": row["count"] + 1 if row else 1,
        "detail": detail,
    }


def _part(recorded: Recorded) -> tuple[str, str]:
    """A part that is named as its stream is: of one feed."""
    kind, _, name = recorded.stream.partition("/")
    return kind, name


def _reported(rows: Rows, fact: HealthReported, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, ("region", fact.region), fact.health, {"reasons": fact.reasons})


def _faulted(rows: Rows, fact: FollowerFault, recorded: Recorded) -> Iterable[Row]:
    detail = {"position": fact.position, "stream": fact.stream, "error": fact.error}
    return _told(rows, recorded, ("follower", fact.follower), "parked", detail)


def _started(rows: Rows, fact: JobStarted, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, ("job", fact.job), "running", {})


def _finished(rows: Rows, fact: JobFinished, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, ("job", fact.job), "finished", {"result": fact.result})


def _failed(rows: Rows, fact: JobFailed, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, ("job", fact.job), "failed", {"error": fact.error})


def _trained(rows: Rows, fact: ModelTrained, recorded: Recorded) -> Iterable[Row]:
    detail = {"version": fact.version, "sha256": fact.sha256, "samples": fact.samples, "seed": fact.seed}
    return _told(rows, recorded, _part(recorded), "trained", detail)


def _retired(rows: Rows, fact: ModelRetired, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, _part(recorded), "retired", {"version": fact.version, "reason": fact.reason})


def _warming(rows: Rows, fact: BaselineWarming, recorded: Recorded) -> Iterable[Row]:
    detail = {"windows": fact.windows, "seen": fact.seen, "least_peers": fact.least_peers}
    return _told(rows, recorded, _part(recorded), "warming-up", detail)


def _learned(rows: Rows, fact: BaselineLearned, recorded: Recorded) -> Iterable[Row]:
    detail = {"windows": fact.windows, "hosts": fact.hosts, "model_version": fact.model_version}
    return _told(rows, recorded, _part(recorded), "learned", detail)


def _evicted(rows: Rows, fact: StateEvicted, recorded: Recorded) -> Iterable[Row]:
    return _told(rows, recorded, ("evicted", fact.feed), "counted", fact.totals)


def _loaded(rows: Rows, fact: RulesLoaded, recorded: Recorded) -> Iterable[Row]:
    detail = {"version": fact.version, "rules": fact.rules, "ignored": fact.ignored, "errors": fact.errors}
    return _told(rows, recorded, ("rules", fact.feed), "faulty" if fact.errors else "loaded", detail)


ON: Final[dict[str, Handler]] = {
    "health-reported": _reported,
    "follower-fault": _faulted,
    "job-started": _started,
    "job-finished": _finished,
    "job-failed": _failed,
    "model-trained": _trained,
    "model-retired": _retired,
    "rules-loaded": _loaded,
    "baseline-warming": _warming,
    "baseline-learned": _learned,
    "state-evicted": _evicted,
}

IGNORED: Final = facts_of(alert, assessment, incident, response, threat) | frozenset(
    {
        "feed-opened",
        "batch-scored",
        "log-released",
        "feed-fault",
        "feed-closed",
        "baseline-shifted",  # of one host: no word about the whole profile
        "threshold-moved",
        "artifact-refused",  # whether it is sound is looked at anew whenever somebody asks
        "votes-counted",
        "model-timed",
        "setting-changed",  # the settings have a history of their own in the log
    }
)

VIEW: Final = View(
    name="health",
    table=Part.__table__,  # type: ignore[attr-defined]  # SQLModel sets it
    key="part",
    on=ON,
    ignored=IGNORED,
    json=frozenset({"detail"}),
)


def listing(kind: str | None = None) -> Select[Any]:
    """The parts (of one kind), by name."""
    query = select(VIEW.table).order_by(VIEW.table.c.part)
    return query if kind is None else query.where(VIEW.table.c.kind == kind)


def document(row: Row) -> dict[str, Any]:
    """A part as other tools read it: times in RFC 3339."""
    return {name: rfc3339(value) if name in {"since", "heard_at"} else value for name, value in row.items()}
