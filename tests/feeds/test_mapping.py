"""Mappings: what cannot be meant is said before anything is read; the page about them is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adapters.feeds import UsageError, check_names, open_telemetry, parse_spec
from adapters.feeds.mapping import SHIPPED, load_mapping, mapping_named
from tests.feeds.reading import read, write
from tests.feeds.test_formats import BINETFLOW, CIC

PAGE = Path(__file__).resolve().parents[2] / "docs" / "mappings.md"
LEAST = '[columns]\nts = "t"\nsrc_ip = "a"\ndst_ip = "b"\n'


@pytest.mark.parametrize("name", ["none", "none.toml", "/"])
def test_an_unknown_mapping_is_a_usage_error_that_names_the_shipped_ones(tmp_path: Path, name: str) -> None:
    specs = [parse_spec(f"csv:{tmp_path / 'not-there.csv'}?mapping={name}")]
    for use in (lambda: check_names(specs), lambda: open_telemetry(specs, follow=False)):
        with pytest.raises(UsageError, match="argus, cicflowmeter, unsw-nb15") as caught:
            use()
        assert caught.value.exit_code == 2
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[columns", "Expected"),
        ("", "'columns' is missing"),
        ('[columns]\nts = "t"\n', "missing: src_ip, dst_ip"),
        (LEAST + 'colour = "c"\n', "unknown: colour"),
        (LEAST + "src_port = 5\n", "not iterable"),
        (LEAST + "[time]\nformat = 'epoch'\n", "time.format"),
        (LEAST + "[time]\nformats = ['rfc']\n", "time format 'rfc': neither epoch, iso8601, rfc3339"),
        (LEAST + "[time]\nformats = ['%Y-%Q']\n", "'Q' is a bad directive"),
        (LEAST + "[time]\nunit = 'h'\n", "'h' is missing or not known"),
        (LEAST + "[minus]\ndst_bytes = 'x'\n", "missing: dst_bytes"),
        (LEAST + "[states]\n'(' = 'SF'\n", "unterminated"),
        ("delimiter = '--'\n" + LEAST, "one character"),
        ("state_from_packets = true\n" + LEAST, "missing: dst_pkts"),
        ("time = 3\n" + LEAST, "not iterable"),
        ("\udcff", "utf-8"),
    ],
)
def test_a_mapping_that_cannot_be_meant_is_a_usage_error_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = write(tmp_path / "own.toml", text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match="is no column mapping") as caught:
        check_names([parse_spec(f"csv:x.csv?mapping={path}")])
    assert reason in str(caught.value)
    assert "argus" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["rfc3339", "iso8601"])
@pytest.mark.parametrize("when", ["2023-11-14T22:13:20.5Z", "2023-11-14T23:13:20.500+01:00", "2023-11-14 22:13:20.5"])
def test_times_as_rfc_3339_has_them_are_read_by_name(tmp_path: Path, form: str, when: str) -> None:
    mapping = write(tmp_path / "own.toml", f"{LEAST}[time]\nformats = '{form}'\n".encode())
    path = write(tmp_path / "own.csv", f"t,a,b\n{when},10.0.0.1,10.0.0.2\nsoon,10.0.0.1,10.0.0.2\n".encode())
    (row, bad), problems = read(f"csv:{path}?mapping={mapping}")
    assert not problems
    assert (row["status"], row["ts"]) == ("", 1_700_000_000_500_000)
    assert bad["status"] == "malformed: bad time"


def test_the_example_on_the_page_is_a_mapping_and_reads_a_row(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    mapping = write(tmp_path / "own.toml", example.encode())
    assert load_mapping(mapping).name == "own"
    header = b"when;source;destination;protocol;ms;bytes_out;bytes_total;flags\n"
    path = write(tmp_path / "own.csv", header + b"14.11.2023 22:13:20;10.0.0.1;192.0.2.7;tcp;1500;10;30;SA\n")
    (row,), problems = read(f"csv:{path}?mapping={mapping}")
    assert not problems
    assert (row["ts"], row["duration"], row["dst_bytes"], row["conn_state"]) == (1_700_000_000_000_000, 1.5, 20, "SF")


def test_the_page_names_every_shipped_mapping_and_canonical_column() -> None:
    page = PAGE.read_text("utf-8")
    assert len(page.splitlines()) <= 60
    for file in SHIPPED.glob("*.toml"):
        mapping = mapping_named(file.stem)
        assert mapping == mapping_named(mapping.name)
        assert f"`{mapping.name}`" in page
        assert all(f"`{column}`" in page for column in mapping.columns)


def test_bytes_that_are_not_utf8_in_a_column_that_is_not_mapped_do_not_matter(tmp_path: Path) -> None:
    data = CIC.format("03/07/2017 08:55:58").encode().splitlines(keepends=True)
    row = data[1].replace(b"BENIGN", b"Web Attack \x96 XSS")
    path = write(tmp_path / "cic.csv", data[0] + row + data[1])
    rows, problems = read(f"csv:{path}")
    assert not problems
    assert [row["status"] for row in rows] == ["", ""]
    assert rows[0]["raw"] == row.rstrip(b"\n")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b"94.44.127.113", b"94.44\x96.127", "not UTF-8"),
        (b",tcp,", b",tc\x96,", "not UTF-8"),
        (b"Background", b"\0", "NUL byte"),
        (b"Background", b"x" * (1 << 20), "line over 1 MiB"),
    ],
)
def test_bytes_that_are_no_text_in_a_mapped_column_are_malformed(
    tmp_path: Path, old: bytes, new: bytes, reason: str
) -> None:
    path = write(tmp_path / "a.binetflow", BINETFLOW.encode().replace(old, new, 1))
    assert [row["status"] for row in read(f"csv:{path}")[0]] == [f"malformed: {reason}", "", "", ""]


@pytest.mark.parametrize("head", [b"PAR1\x15\x04\x15\rab,cd\r\n", b"a,b\rc,d\r", b"x" * 140_000 + b"\n"])
def test_a_file_without_a_csv_header_is_a_problem_of_that_file_alone(tmp_path: Path, head: bytes) -> None:
    write(tmp_path / "a.csv", BINETFLOW.encode())
    write(tmp_path / "b.csv", head)
    rows, problems = read(f"csv:{tmp_path}?mapping=argus-binetflow")
    assert rows
    assert [Path(problem.path).name for problem in problems] == ["b.csv"]
