"""A receiver of webhooks in a process of its own: answers 200 and writes down when which alert came.

`python -m bench.receiver FILE` prints its port; each line of the file is `microseconds key level`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def serve(file: Path) -> None:
    """Take alerts until the process is ended."""
    with file.open("w", buffering=1) as out:

        async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    size = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
                    said: dict[str, Any] = json.loads(await reader.readexactly(size))
                    out.write(f"{time.time_ns() // 1000} {said['metadata']['uid']} {said['severity']}\n")
                    writer.write(ANSWER)
            writer.close()

        server = await asyncio.start_server(taken, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - whoever started it wants to know
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
