"""The scripted engine itself: it says what its script says, and is a sound engine elsewhere."""

from __future__ import annotations

import http.client
import json
import socket
from http.client import HTTPResponse

import pytest

from tests.scripted_answers import HOSTILE, cut_short, head_only, json_answer, many, reset
from tests.scripted_engine import ScriptedEngine


def ask(
    engine: ScriptedEngine, path: str, method: str = "GET", body: str | None = None, seconds: float = 5
) -> HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=seconds)
    connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
    return connection.getresponse()


def test_a_route_without_a_script_is_answered_by_a_sound_engine() -> None:
    with ScriptedEngine("n1", 2) as engine:
        assert json.load(ask(engine, "/v1.43/info"))["Name"] == "n1"
        made = ask(engine, "/containers/create?name=web", "POST", json.dumps({"Image": "busybox"}))
        assert made.status == 201
        assert len(json.load(ask(engine, "/containers/json?all=1"))) == 3
        assert engine.asked("/containers/create", "POST") == 1
        assert json.loads(engine.requests[1].body) == {"Image": "busybox"}


def test_the_most_exact_script_counts_and_a_function_may_decline() -> None:
    with ScriptedEngine("n1") as engine:
        engine.answers["*"] = json_answer("any")
        engine.answers["~^/net"] = json_answer("pattern")
        engine.answers["/info"] = json_answer("path")
        engine.answers["GET /info"] = lambda r: json_answer("get") if "x=1" in r.target else None
        assert json.load(ask(engine, "/v1.24/info?x=1")) == "get"
        assert json.load(ask(engine, "/info"))["Name"] == "n1"
        assert json.load(ask(engine, "/networks")) == "pattern"
        assert json.load(ask(engine, "/version")) == "any"


def test_broken_answers_are_broken() -> None:
    with ScriptedEngine("n1") as engine:
        engine.answers["/cut"] = cut_short({"a": "b" * 100})
        with pytest.raises(http.client.IncompleteRead):
            ask(engine, "/cut").read()
        engine.answers["/reset"] = reset()
        with pytest.raises(ConnectionResetError):
            ask(engine, "/reset")
        engine.answers["/head"] = head_only()
        found = ask(engine, "/head", seconds=1)
        with pytest.raises(TimeoutError):
            found.read()
        engine.answers["/many"] = many(b"[]", 100_000)
        assert len(json.load(ask(engine, "/many"))) == 33_333


def test_it_can_die_and_come_back_where_it_was() -> None:
    with ScriptedEngine("n1") as engine:
        engine.stop_listening()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", engine.port), 5)
        engine.listen_again()
        assert ask(engine, "/_ping").status == 200


def test_events_reach_who_listens() -> None:
    with ScriptedEngine("n1") as engine:
        reply = ask(engine, "/events")
        engine.send_event(b'{"a":1}\n')
        assert reply.readline() == b'{"a":1}\n'


def test_every_hostile_answer_has_a_name_of_its_own() -> None:
    assert len(HOSTILE) > 50
