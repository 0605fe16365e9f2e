"""The warning of a bind mount whose source may be meant as a directory of the client's."""

from __future__ import annotations

import pytest

from machine.swarm.pipeline import Reply
from machine.swarm.placing import bind_warnings


@pytest.mark.parametrize(
    ("host", "sources"),
    [
        ({"Binds": ["/home/a/code:/app:ro", "/home/a/code:/b"]}, ["/home/a/code"]),
        ({"Binds": ["C:\\code:/app"]}, ["C:\\code"]),
        ({"Mounts": [{"Type": "bind", "Source": "/Users/a", "Target": "/app"}]}, ["/Users/a"]),
        ({"Mounts": [{"Type": "volume", "Source": "/home/a", "Target": "/app"}]}, []),
        ({"Binds": ["data:/data", "/var/run/docker.sock:/var/run/docker.sock", "/homes/a:/a", "/srv:/home"]}, []),
        ({"Binds": ["/home/node/app/node_modules", "C:\\data", "/root"]}, []),  # volumes without a name
        ({"Binds": None, "Mounts": [None, 3, {"Type": "bind"}]}, []),
        ({"Binds": "/home/a:/a"}, []),
        ([], []),
    ],
)
def test_what_is_warned_of(host: object, sources: list[str]) -> None:
    found = bind_warnings.warnings({"HostConfig": host})
    assert len(found) == len(sources)
    for text, source in zip(found, sources, strict=True):
        assert f"of {source} shows that directory of the engine's host" in text


def test_warnings_have_a_bound() -> None:
    found = bind_warnings.warnings({"HostConfig": {"Binds": [f"/home/{n}{'x' * 9000}:/a" for n in range(100)]}})
    assert len(found) == 8
    assert max(map(len, found)) < 500


async def test_the_engines_own_warnings_stay() -> None:
    body = {"HostConfig": {"Binds": ["/home/a:/a"]}}
    reply = await bind_warnings.add(Reply.json({"Id": "f" * 64, "Warnings": ["own"]}, 201), body)
    made = await reply.json_body()
    assert (reply.status, made["Id"], made["Warnings"][0], len(made["Warnings"])) == (201, "f" * 64, "own", 2)
    assert await (await bind_warnings.add(Reply.json({"Id": "f" * 64}, 201), {})).json_body() == {"Id": "f" * 64}


async def test_an_error_stays_an_error() -> None:
    reply = Reply.error(409, "taken")
    assert await bind_warnings.add(reply, {"HostConfig": {"Binds": ["/home/a:/a"]}}) is reply
