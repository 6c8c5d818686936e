"""A process that appends notes to a log: `python -m tests.log.writer LOCATION SCHEMA FIRST COUNT STREAM`."""

from __future__ import annotations

import sys
from contextlib import closing

from adapters.log import open_log
from tests.log.story import note, ticking

if __name__ == "__main__":
    location, schema, first, number, stream = sys.argv[1:]
    with closing(open_log(location, ticking(), schema=schema)) as log:
        for n in range(int(first), int(first) + int(number)):
            log.append([note(n, stream), note(n, "shared")])
