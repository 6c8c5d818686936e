"""The views as the rest of the house uses them: open, catch up, query, rebuild beside the live ones, compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from sqlalchemy import select

from adapters.collector import collector_paused
from adapters.views.generation import Generation, Progress
from adapters.views.places import Place, place_of
from domain.journal import Journal, Recorded, follow
from projections import alerts, feeds, health, incidents, playbook_rates, responses, threats, workflows
from projections.catalog import VIEWS, digests, replay
from projections.view import Parked, Row

Report = Callable[[Parked], None]
"""Told of every stream that is parked, after the commit."""


class Views:
    """The live generation of the views, whichever it is at the moment."""

    def __init__(self, place: Place, log_id: str = "", report: Report | None = None) -> None:
        self._place = place
        self._log_id = log_id
        self._report = report or (lambda _: None)
        self._live = self._open_live()
        self._tidied = 0

    @classmethod
    def open(cls, location: str, journal: Journal | None = None, report: Report | None = None) -> Self:
        """Open the views in a folder or a `postgresql://` database.

        Args:
            location: where they are; a first generation is made when there is none.
            journal: the log that a first generation is for (else that of its first `catch_up`).
            report: told of every stream that is parked.
        """
        return cls(place_of(location), journal.log_id if journal else "", report)

    def _open_live(self) -> Generation:
        number = self._place.current()
        if number:
            return self._generation(number)
        made = self._build()
        self._place.point(made.number)
        return made

    def _generation(self, number: int) -> Generation:
        return Generation(number, self._place.engine(number), self._place.where(number))

    def _build(self, log_id: str = "") -> Generation:
        number = self._place.create()
        made = self._generation(number)
        made.prepare(log_id or self._log_id)
        return made

    def _refresh(self) -> Generation:
        """Go over to the live generation when somebody swapped it."""
        if self._place.current() != self._live.number:
            self._live.close()
            self._live = self._open_live()
        return self._live

    def catch_up(self, journal: Journal, batch: int = 1000, upto: int | None = None) -> int:
        """Fold what the log has more, each fact exactly once; returns the position reached.

        Raises:
            ViewMismatch: the views are not of this log and must be rebuilt.
        """
        with collector_paused():
            while (parked := self._refresh().step(journal, batch, upto)) is not None:
                for fault in parked:
                    self._report(fault)
        if self._tidied != self._live.number:
            self._tidy(journal)
        return self.progress().position

    def rebuild(self, journal: Journal, batch: int = 1000) -> dict[str, Any]:
        """Build the next generation beside the live one up to the end of the log, and swap it in.

        `kept` names what was folded from facts that the log does not hold any more: a trace that is nobody's to remove.
        """
        fresh = self._build(journal.log_id)
        with collector_paused():
            while fresh.step(journal, batch, None) is not None:
                pass
        self._place.point(fresh.number)
        self._live.close()
        self._live = fresh
        kept = self._tidy(journal)
        progress, found = fresh.digests()
        return {
            "generation": fresh.number,
            "events": progress.events,
            "position": progress.position,
            "digest": combined(found),
            "kept": kept,
        }

    def _tidy(self, journal: Journal) -> list[str]:
        """Remove generations before the live one that nobody has open; names those that are a trace."""
        kept = []
        for number in self._place.generations():
            if number >= self._live.number:
                break
            old = self._generation(number)
            is_trace = old.is_trace(journal)
            old.close()
            if is_trace:
                kept.append(self._place.where(number))
            else:
                self._place.drop(number)
        self._tidied = self._live.number
        return kept

    def replay(self, journal: Journal, clock: Callable[[], float] = perf_counter) -> dict[str, Any]:
        """Fold the log from zero in memory and hold it against the live views at the same position."""
        self.catch_up(journal)
        progress, live = self._live.digests()
        events, start = 0, clock()

        def counted() -> Iterator[list[Recorded]]:
            nonlocal events
            for batch in follow(journal, upto=progress.position):
                events += len(batch)
                yield batch

        with collector_paused():
            replayed = digests(replay(counted()))
        seconds = max(clock() - start, 1e-9)
        return {
            "equal": live == replayed,
            "live": combined(live),
            "replayed": combined(replayed),
            "events": events,
            "events_per_second": round(events / seconds, 1),
            "views": {name: {"live": live[name], "replayed": replayed[name]} for name in sorted(live)},
        }

    def progress(self) -> Progress:
        """How far the live views have read."""
        return self._live.progress()

    @property
    def generation(self) -> int:
        """Number of the generation in use."""
        return self._live.number

    def parked(self) -> list[Parked]:
        """The streams that some view gave up."""
        return self._live.parked()

    def digests(self) -> dict[str, str]:
        """Digest of each view and of what is parked."""
        return self._live.digests()[1]

    def digest(self) -> str:
        """One digest over all views."""
        return combined(self.digests())

    def rows(self, view: str, query: Any) -> list[Row]:
        """Rows of a view that a query of its projection selects."""
        return self._live.rows(view, query)

    def get(self, view: str, key: str) -> Row | None:
        """The row of that key."""
        table = VIEWS[view].table
        return next(iter(self.rows(view, select(table).where(table.c[VIEWS[view].key] == key))), None)

    def starting(self, view: str, prefix: str, limit: int = 10) -> list[Row]:
        """Rows whose key begins with `prefix`."""
        table = VIEWS[view].table
        key = table.c[VIEWS[view].key]
        return self.rows(view, select(table).where(key.startswith(prefix, autoescape=True)).order_by(key).limit(limit))

    def list_threats(self, **filters: Any) -> list[dict[str, Any]]:
        """Threats as other tools read them; filters are those of `projections.threats.listing`."""
        return self._told(threats.document, self.rows("threats", threats.listing(**filters)))

    def list_incidents(self, **filters: Any) -> list[dict[str, Any]]:
        """Incidents as other tools read them; filters are those of `projections.incidents.listing`."""
        rows = self.rows("incidents", incidents.listing(**filters))
        found: dict[str, list[Row]] = {row["id"]: [] for row in rows}
        for member in self._live.ask(incidents.members(found)):
            found[member["home"]].append(member)
        return self._told(lambda row: incidents.document(incidents.current(row, found[row["id"]])), rows)

    def list_alerts(self, **filters: Any) -> list[dict[str, Any]]:
        """Alerts as other tools read them; filters are those of `projections.alerts.listing`."""
        return self._told(alerts.document, self.rows("alerts", alerts.listing(**filters)))

    def list_responses(self, **filters: Any) -> list[dict[str, Any]]:
        """Responses as other tools read them; filters are those of `projections.responses.listing`."""
        return self._told(responses.document, self.rows("responses", responses.listing(**filters)))

    def list_workflows(self, **filters: Any) -> list[dict[str, Any]]:
        """Workflows as other tools read them; filters are those of `projections.workflows.listing`."""
        return self._told(workflows.document, self.rows("workflows", workflows.listing(**filters)))

    def playbook_rates(self, playbook: str | None = None) -> list[dict[str, Any]]:
        """How well playbooks do; see `projections.playbook_rates`."""
        return self._told(playbook_rates.document, self._live.ask(playbook_rates.rates(playbook)))

    def list_feeds(self) -> list[dict[str, Any]]:
        """Feeds as other tools read them."""
        return self._told(feeds.document, self.rows("feeds", feeds.listing()))

    def list_health(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Parts (of one kind) as other tools read them."""
        return self._told(health.document, self.rows("health", health.listing(kind)))

    def _told(self, document: Callable[[Row], dict[str, Any]], rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Documents of rows, as far as these are sound."""
        try:
            return [document(row) for row in rows]
        except (LookupError, TypeError, ValueError) as error:
            raise self._live.damaged(f"a row cannot be understood: {type(error).__name__} {error}") from error

    def count(self, view: str) -> int:
        """How many rows a view holds; threats and incidents that were merged into another do not count."""
        return self._live.count(VIEWS[view])

    def close(self) -> None:
        """Let go of all connections."""
        self._live.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def combined(found: dict[str, str]) -> str:
    """One digest over the digests of all views."""
    return hashlib.sha256("\n".join(f"{name} {found[name]}" for name in sorted(found)).encode()).hexdigest()
