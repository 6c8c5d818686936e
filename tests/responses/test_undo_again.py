"""An undo that failed is tried again at once when it is asked for again, and what came of it is said."""

from __future__ import annotations

from tests.responses.receiver import receiving
from tests.responses.test_end_to_end import home, myrmidon, threaten
from tests.responses.world import SECOND, Site, kinds


def test_an_undo_that_is_asked_for_again_is_tried_at_once():
    site = Site()
    site.incident("a")
    site.work()
    site.wall.broken = {"undo"}
    site.undo(site.responses()[0])
    for _ in range(4):
        site.later(10 * SECOND)
    tried = site.wall.count("undo")
    assert site.work() == []
    site.undo(site.responses()[0])
    assert kinds(site.work()) == ["action-failed"]
    assert site.wall.count("undo") == tried + 1
    site.wall.broken = set()
    site.undo(site.responses()[0])
    assert kinds(site.work()) == ["action-undone", "incident-released"]


def test_without_a_daemon_an_undo_that_failed_is_tried_again_by_the_command(tmp_path):
    with receiving() as server:
        openc2 = f'type = "openc2-http"\nurl = "{server.url}"'
        place = home(tmp_path, firewall=openc2)
        threaten(place)
        assert myrmidon(place, "responses", "mode", "act").json["in_force"] == 1
        [response] = myrmidon(place, "responses", "list").json
        name = response["id"][:8]
        obey, server.obey = server.obey, lambda command, key: {}  # it says yes, and does not know whether it is gone
        for _ in range(2):
            failed = myrmidon(place, "responses", "undo", name, as_json=False)
            assert failed.code == 1
            assert f"response {name} could not be taken back (undo: " in failed.out
            assert "ask again or start `run`" in failed.out.replace("\n", " ")
        server.obey = obey
        assert myrmidon(place, "responses", "undo", name).json["response"]["status"] == "undone"
        assert server.force == {}
        again = myrmidon(place, "responses", "undo", name, as_json=False)
        assert (again.code, again.out) == (0, f"response {name} was taken back (operator)\n")


def test_an_undo_that_leaves_a_target_to_another_response_looks_whether_it_is_still_held():
    site = Site()
    site.incident("a")
    site.incident("b", entity="10.0.0.6")
    site.work()
    looked = site.wall.count("effect")
    site.undo(site.responses()[0])
    site.work()
    [undone] = site.all("action-undone")
    assert undone.evidence == "another action holds the target, so it stays as it is: looked at 203.0.113.9/32"
    assert (site.wall.count("effect"), site.wall.count("undo")) == (looked + 1, 0)


def test_a_second_stop_tries_at_once_what_the_first_could_not_take_back():
    site = Site()
    site.incident("a")
    site.work()
    site.wall.broken = {"undo"}
    site.mode("observe")
    for _ in range(4):
        site.later(10 * SECOND)
    site.wall.broken = set()
    assert site.work() == []
    site.mode("observe")
    site.work()
    assert site.wall.blocked == {}
