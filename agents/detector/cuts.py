"""Where the entries of a feed's ledger close, known from the rows alone: before anybody has judged them.

Rules:
    1. An entry closes after `ledger_rows` rows, or before the first row whose clock is `ledger_span` past its start; as
       long as rows are read again, it closes where the log says that it did.
    2. So an entry never depends on how the rows came in: one by one or ten thousand at once.
    3. It stands at the last row that was handed to the senses, which may be ahead of the last row that was decided.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agents.detector.ledger import Ledger
from agents.detector.policy import Policy
from domain.values import Micros


@dataclass(slots=True, kw_only=True)
class Cuts:
    """The open entry, as far as its length is concerned.

    Attributes:
        rows: number of the last row.
        clock: the feed's clock there.
        received: rows of the open entry.
        start: clock of its first row; None before there is one.
        closings: numbers of the rows after which entries closed, when they are read again.
    """

    policy: Policy
    rows: int = 0
    clock: Micros = 0
    received: int = 0
    start: Micros | None = None
    closings: deque[int] = field(default_factory=deque)

    def stand_at(self, rows: int, ledger: Ledger) -> None:
        """Go on where the ledger stands, whose last row is number `rows`."""
        self.rows, self.clock = rows, ledger.clock
        self.received, self.start = ledger.received, ledger.start

    def parts(self, clock: Sequence[Micros]) -> Iterator[tuple[int, int, bool]]:
        """The rows of a frame as (begin, end, whether the entry closes behind them); a part may be empty.

        Each part is counted when it is asked for: what happens between two of them happens between their rows.
        """
        begin, size = 0, len(clock)
        while begin < size:
            end = self._room(clock, begin)
            self._count(clock, begin, end)
            closes = end < size or self._full()
            if closes:
                self.begin_entry()
            yield begin, end, closes
            begin = end

    def begin_entry(self) -> None:
        """The entry closed; the next row opens another."""
        self.received, self.start = 0, None

    def _room(self, clock: Sequence[Micros], begin: int) -> int:
        """Index up to which the rows from `begin` on belong to the open entry (`begin` = it closes before them)."""
        # what closed before the snapshot is behind us; what closes right here closes as soon as a row follows
        while self.closings and self.closings[0] < self.rows + (not self.received):
            self.closings.popleft()
        if self.closings:
            return min(len(clock), begin + max(0, self.closings[0] - self.rows))
        end = min(len(clock), begin + self.policy.ledger_rows - self.received)
        bound = (clock[begin] if self.start is None else self.start) + self.policy.ledger_span
        return next((index for index in range(begin, end) if clock[index] >= bound), end)

    def _count(self, clock: Sequence[Micros], begin: int, end: int) -> None:
        if end > begin:
            if self.start is None:
                self.start = clock[begin]
            self.rows += end - begin
            self.received += end - begin
            self.clock = clock[end - 1]

    def _full(self) -> bool:
        return self.rows == self.closings[0] if self.closings else self.received >= self.policy.ledger_rows
