"""The rules on disk: which files are read, and when a change is one."""

from __future__ import annotations

import os

import pytest

from adapters.feeds.errors import UsageError
from adapters.rulebook import Rulebook
from tests.rules.texts import rule, rules

ONE, TWO = rule("a: {query: a}\ncondition: a", title="One"), rule("a: {query: b}\ncondition: a", title="Two")


def names(book: Rulebook) -> list[str]:
    return sorted(book.load().names)


def test_every_rule_file_of_a_folder_and_below_is_read(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "one.yml").write_text(ONE)
    (tmp_path / "deep" / "er" / "two.yaml").write_text(TWO)
    (tmp_path / "readme.txt").write_text("no rule")
    (tmp_path / ".hidden.yml").write_text("no rule")
    assert names(Rulebook(tmp_path, shipped=False)) == ["One", "Two"]
    assert len(Rulebook(tmp_path).load()) > 30


def test_a_change_of_content_gives_a_new_rule_set(tmp_path):
    book = Rulebook(tmp_path, shipped=False)
    (tmp_path / "one.yml").write_text(ONE)
    version = book.load().version
    assert book.changed() is None
    (tmp_path / "two.yml").write_text(TWO)
    changed = book.changed()
    assert changed is not None
    assert sorted(changed.names) == ["One", "Two"]
    assert changed.version != version
    assert book.changed() is None
    (tmp_path / "two.yml").unlink()
    assert book.changed().version == version


def test_a_file_that_is_only_touched_changes_nothing(tmp_path):
    (tmp_path / "one.yml").write_text(ONE)
    book = Rulebook(tmp_path, shipped=False)
    book.load()
    os.utime(tmp_path / "one.yml", (1, 1))
    assert book.changed() is None


def test_a_wrong_file_is_an_error_and_the_others_stand(tmp_path):
    (tmp_path / "one.yml").write_text(ONE)
    (tmp_path / "bad.yml").write_bytes(b"\xff\xfe\x00")
    ruleset = Rulebook(tmp_path, shipped=False).load()
    assert ruleset.names == ("One",)
    assert [(error.file, error.line) for error in ruleset.errors] == [(str(tmp_path / "bad.yml"), 1)]
    assert "UTF-8" in ruleset.errors[0].message


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no such file or folder"):
        Rulebook(tmp_path / "nowhere").load()


def test_a_folder_that_is_gone_is_told_once_and_its_rules_stay_until_it_is_back(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "one.yml").write_text(ONE)
    book = Rulebook(folder, shipped=False)
    loaded = book.load()
    away = folder.rename(tmp_path / "away")
    without = book.changed()
    assert (without.version, without.names) == (loaded.version, ("One",))
    assert [str(error).partition(" is gone")[0] for error in without.errors] == ["[rules] dir: the folder of rules"]
    assert book.changed() is None
    away.rename(folder)
    back = book.changed()
    assert (back.version, back.errors) == (loaded.version, ())
    assert book.changed() is None


@pytest.mark.parametrize("log", ["product: apache", "product: nginx", "product: apache, service: access"])
def test_a_web_server_named_alone_is_the_log_of_its_requests(log):
    (loaded,) = rules(rule("a: {uri: /x}\ncondition: a", log=log)).rules
    assert loaded.source.log == "http"
