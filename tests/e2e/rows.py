"""Zeek conn rows of one source that tries one port on ever more hosts, and of one that does nothing wrong."""

from __future__ import annotations

HEADER = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tservice\tduration\torig_bytes\tresp_bytes"
    "\tconn_state\torig_pkts\tresp_pkts\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\tinterval\tcount\tcount\tstring\tcount\tcount\n"
)
T0 = 1_700_000_000


def scan(begin: int, count: int, *, at: int = T0, port: int = 445) -> str:
    """Rows of one source that tries one port on ever more hosts."""
    return "".join(
        f"{at + n}.5\tC{n}\t10.0.0.66\t{40000 + n}\t10.0.{n // 250}.{n % 250 + 1}\t{port}\ttcp\t-\t-\t-\t-\tS0\t1\t0\n"
        for n in range(begin, begin + count)
    )


def calm(begin: int, count: int, *, every: int = 60) -> str:
    return "".join(
        f"{begin + n * every}.0\tD{begin + n}\t10.0.0.9\t50000\t10.0.0.2\t443\ttcp\tssl\t0.5\t900\t4000\tSF\t9\t12\n"
        for n in range(count)
    )
