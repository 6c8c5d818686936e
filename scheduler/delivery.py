"""Alerts that arrive: the router's backlog goes out through the outbox, and what came of it is recorded.

Rules:
    1. Nothing is sent before the fact that orders it is recorded; after a crash everything that was ordered and has
       not ended goes out again under the same key.
    2. Only the deciding thread records. What a channel's thread does with a job is told to it as an `Outcome`.
    3. A channel that fails is said once, with the cause, and once more when it works again, with what was given up.
    4. Results are recorded together: at once when there are many, else after a moment. A crash in between sends again.
    5. What was put off is picked up from the log when half of a channel's room is free.
    6. While much comes in at once, deciding comes before sending: critical alerts go out, and a few of the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Event
from typing import Final

from adapters.collector import collector_paused
from agents.responder.backlog import Backlog
from agents.responder.notices import Channel
from agents.responder.routes import Routing
from agents.responder.shelf import Shelf, Waiting
from config.alerts import AlertSettings
from domain.facts.alert import AlertDelivered, AlertEscalated, AlertFailed, AlertRouted
from domain.journal import Draft, Journal, Progress, Recorded, Wanted
from domain.values import SECOND, Micros, event_id
from scheduler.follower import Following
from scheduler.outbox import Outbox
from scheduler.routing import KINDS, NAME, RouterMind, outstanding, set_up, waiting_from
from scheduler.sending import Job, Outcome, Sender, notice_of

LANE: Final = 200
"""Alerts of a channel that are handed to its thread at a time."""

MUCH: Final = 200
"""Facts that follow from what came in at once, from which on it is much."""

FEW: Final = 20
"""Alerts of a channel that are not critical and go out at a time meanwhile."""

ORDERS: Final = Wanted(kinds=frozenset({AlertRouted.kind, AlertEscalated.kind}), but_of="")
"""What puts alerts on their way."""

TOGETHER: Final = 100
"""Results that are worth a commit of their own."""

MOMENT: Final = 0.02
"""Seconds that fewer results wait for others."""

BATCHES: Final = 5
"""Batches of 1,000 orders that are read in one go to pick up what was put off."""

DEAD: Final = "see `myrmidon alerts list --status dead`"

AT_THE_END: Final = 5.0
"""Seconds that a run that is ended waits for what is being sent."""


class Delivery:
    """The follower `router`, with the backlog that it leaves and the channels that it is worked off by."""

    def __init__(
        self,
        journal: Journal,
        settings: AlertSettings,
        channels: Mapping[str, Channel],
        *,
        now: Callable[[], Micros],
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        """Take up the backlog as the log has it.

        Args:
            journal: the log.
            settings: channels and rules.
            channels: every channel of the settings by name.
            now: the wall clock.
            say: told in one line what an operator should know.
        """
        set_up(journal, settings, now())
        policy: Routing = settings.routing()
        self.name = NAME
        self._journal = journal
        self._channels = channels
        self._now = now
        self._say = say
        self._patience = settings.drain_seconds
        self._unrecorded: list[Outcome] = []
        self._first_back = 0.0
        self._dead: set[str] = set()
        self._woken = Event()
        self._outbox: Outbox[Job, Outcome] = Outbox(
            Sender(channels).send, room=2 * LANE * max(1, len(channels)), wake=self._woken.set
        )
        self._minds: list[RouterMind] = []
        self._following = Following(
            NAME, journal, lambda: self._begin(RouterMind(journal, policy, settings.patience())), kinds=KINDS
        )

    @property
    def position(self) -> int:
        """How far the log has been read."""
        return self._following.position

    @property
    def backlog(self) -> Backlog:
        """What is still to be delivered."""
        return self._mind.backlog

    def catch_up(self) -> int:
        """Decide what is new, record what came of what was sent, send what can be; returns the facts appended."""
        self._woken.clear()
        appended, came = self._record_outcomes(), 0
        with collector_paused():
            while True:
                made = self._following.step()
                self._mind.commit()
                came += made or 0
                appended += (made or 0) + self._escalate()
                self._hand_out(FEW if came >= MUCH else LANE)
                if made is None:
                    return appended
                appended += self._record_outcomes()

    def settle(self) -> None:
        """Record the position even though nothing was decided since."""
        self._following.settle()

    def nudged(self) -> bool:
        """Whether something came back from a channel."""
        return self._woken.is_set() or bool(self._unrecorded)

    def finish(self, patience: float) -> None:
        """`drain`, at most as long as the settings say."""
        self.drain(min(patience, self._patience))

    def drain(self, seconds: float) -> None:
        """Deliver what can be delivered within so many seconds, then say how much is left."""
        until = time.monotonic() + seconds
        while True:
            self.catch_up()
            wait = self._until_next()
            left = until - time.monotonic()
            if wait is None or wait > left:
                break
            time.sleep(min(wait, left, MOMENT))
        self._tell_left()

    def close(self) -> None:
        """Wait for what is being sent, record what came of it, and let go of all connections."""
        self._outbox.close(AT_THE_END)
        self._record_outcomes(at_once=True)
        for channel in self._channels.values():
            channel.close()

    def faults(self) -> list[str]:
        """What is the matter with the channels, for the health report: stable as long as it is the same."""
        down = [name for name, shelf in self.backlog.shelves.items() if shelf.down]
        dead = sorted(self._dead.difference(down))  # of one that is down it is told already what is wrong with it
        wrong = {"does not work": down, "has dead letters": dead}
        return [f"channel {name} {what}" for what, names in wrong.items() for name in names]

    def left(self) -> dict[str, int]:
        """Alerts still to be delivered, by channel, those put off among them."""
        counts = {name: len(shelf) + shelf.put_off for name, shelf in self.backlog.shelves.items()}
        return {name: count for name, count in counts.items() if count}

    @property
    def _mind(self) -> RouterMind:
        return self._minds[-1]

    def _begin(self, mind: RouterMind) -> RouterMind:
        self._minds = [mind]
        return mind

    def _record_outcomes(self, *, at_once: bool = False) -> int:
        came = self._outbox.results()
        if came and not self._unrecorded:
            self._first_back = time.monotonic()
        self._unrecorded += came
        due = at_once or len(self._unrecorded) >= TOGETHER or time.monotonic() - self._first_back >= MOMENT
        if not due:
            return 0
        outcomes, self._unrecorded = self._unrecorded, []
        drafts = [self._result(outcome) for outcome in outcomes if outcome.tried]
        if drafts:
            self._append(drafts)
        for outcome in reversed([each for each in outcomes if not each.tried]):
            self._shelf(outcome).back(outcome.waiting.alert.alert)
        for outcome in outcomes:
            if outcome.tried:
                self._apply(outcome)
        return len(drafts)

    def _result(self, outcome: Outcome) -> Draft:
        waiting = outcome.waiting
        attempt, channel = waiting.attempts + 1, waiting.alert.channel
        fact: AlertDelivered | AlertFailed
        if outcome.error:
            dead = attempt >= waiting.limit
            fact = AlertFailed(
                alert=waiting.alert.alert, channel=channel, attempt=attempt, error=outcome.error, dead=dead
            )
        else:
            fact = AlertDelivered(
                alert=waiting.alert.alert,
                channel=channel,
                attempt=attempt,
                milliseconds=outcome.milliseconds,
                receipt=outcome.receipt,
            )
        return self._draft(waiting, f"alert/{waiting.alert.alert}", fact, ordinal=attempt)

    def _apply(self, outcome: Outcome) -> None:
        """The backlog after an attempt."""
        waiting, shelf, now = outcome.waiting, self._shelf(outcome), self._now()
        name = waiting.alert.channel
        at = max(now, waiting.occurred_at)
        if not outcome.error:
            if shelf.down:
                lost = ": some of its alerts are dead letters by now; " + DEAD if name in self._dead else ""
                self._say(f"alerts: channel {name} works again{lost}")
            shelf.fault, shelf.failures = "", 0
            self.backlog.delivered(waiting, at)
            return
        attempt = waiting.attempts + 1
        dead = attempt >= waiting.limit
        wait = self._broke(shelf, name, outcome, now) if outcome.of_channel else self._wait(attempt, outcome)
        self.backlog.failed(waiting, at, now, attempt=attempt, dead=dead, wait=0 if outcome.of_channel else wait)
        if dead and name not in self._dead:
            self._dead.add(name)
            if not outcome.of_channel:  # it was said that it does not work
                self._say(f"alerts: channel {name} has dead letters ({outcome.error}): {DEAD}")

    def _broke(self, shelf: Shelf, name: str, outcome: Outcome, now: Micros) -> Micros:
        """The channel itself fails: everything waits, until one alert gets through."""
        if not shelf.down:
            self._say(f"alerts: channel {name} does not work ({outcome.error}); its alerts wait and are tried again")
        shelf.fault, shelf.failures = outcome.error, shelf.failures + 1
        wait = self._wait(shelf.failures, outcome)
        shelf.again_at = now + wait
        return wait

    def _wait(self, failures: int, outcome: Outcome) -> Micros:
        asked = round(outcome.retry_after * SECOND)
        return max(asked, self.backlog.patience.wait(failures, outcome.waiting.alert.alert))

    def _escalate(self) -> int:
        made = 0
        for waiting, alerts in self.backlog.unanswered(self._now()):
            if self._mind.taken(waiting.alert.incident):
                continue
            drafts = [self._draft(waiting, f"alert/{alert.alert}", alert) for alert in alerts]
            self._append(drafts)
            made += len(drafts)
            for draft, alert in zip(drafts, alerts, strict=True):
                self.backlog.escalated(alert)
                self.backlog.order(waiting_from(draft, alert, self.backlog.patience, self.position))
        return made

    def _hand_out(self, lesser: int) -> None:
        now = self._now()
        for name, shelf in self.backlog.shelves.items():
            if shelf.hungry:
                self._pick_up(name, shelf)
            for waiting in list(shelf.take(now, min(LANE, max(1, shelf.room // 2)), lesser)):
                job = Job(waiting=waiting, notice=notice_of(waiting), probe=shelf.down)
                if not self._outbox.offer(name, waiting.alert.alert, job, urgency=waiting.alert.risk):
                    shelf.back(waiting.alert.alert)

    def _pick_up(self, channel: str, shelf: Shelf) -> None:
        """Read on from the first alert that was put off."""
        for _ in range(BATCHES):
            facts = self._journal.read(shelf.put_off_from, 1000, wanted=ORDERS)
            if not facts:
                shelf.put_off = 0
                return
            orders = [each for each in facts if self._missing(channel, shelf, each)]
            versions = self._journal.versions({each.stream: None for each in orders})
            for each in orders:
                if len(shelf) >= shelf.room:
                    shelf.put_off_from = each.position - 1
                    return
                waiting = self._still_waiting(each, versions[each.stream])
                if waiting is not None:
                    shelf.add(waiting, waiting.not_before, picked_up=True)
                    shelf.put_off = max(1, shelf.put_off - 1)
            shelf.put_off_from = facts[-1].position

    def _missing(self, channel: str, shelf: Shelf, each: Recorded) -> bool:
        fact = each.fact
        return (
            isinstance(fact, AlertRouted | AlertEscalated) and fact.channel == channel and shelf.get(fact.alert) is None
        )

    def _still_waiting(self, order: Recorded, version: int) -> Waiting | None:
        if version == order.version and isinstance(order.fact, AlertRouted | AlertEscalated):
            return waiting_from(order, order.fact, self.backlog.patience)
        return outstanding(self._journal.read_stream(order.stream), self.backlog.patience)

    def _until_next(self) -> float | None:
        """Seconds until something can be done; None when nothing is under way, nor waits for the clock."""
        now = self._now()
        shelves = self.backlog.shelves.values()
        if self._unrecorded or any(shelf.sending for shelf in shelves):
            return MOMENT
        if any(shelf.hungry or shelf.ready for shelf in shelves if not shelf.down):
            return 0.0
        due = [moment for shelf in shelves if (moment := shelf.next_due()) is not None]
        return max(0.0, (min(due) - now) / SECOND) if due else None

    def _tell_left(self) -> None:
        for name, count in self.left().items():
            self._say(f"alerts: {count:,} of channel {name} {'is' if count == 1 else 'are'} left for the next run")

    def _append(self, drafts: list[Draft]) -> None:
        self._journal.append(drafts, progress=Progress(tracking={NAME: self.position}))

    def _shelf(self, outcome: Outcome) -> Shelf:
        return self.backlog.shelves[outcome.waiting.alert.channel]

    def _draft(
        self, waiting: Waiting, stream: str, fact: AlertDelivered | AlertFailed | AlertEscalated, *, ordinal: int = 0
    ) -> Draft:
        return Draft(
            event_id=event_id(waiting.cause, stream, fact.kind, ordinal),
            stream=stream,
            fact=fact,
            occurred_at=max(self._now(), waiting.occurred_at),
            actor=NAME,
            causation=waiting.cause,
            correlation=waiting.correlation,
            region=waiting.region,
        )
