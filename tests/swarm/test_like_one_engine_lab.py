"""The same calls to a real engine and to a manager in front of that one engine: what clients see is the same.

Status and shape (keys and types, at every depth) of each answer are compared. Each difference that is allowed stands in
ALLOWED with its reason; one that is not there any more fails too.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from tests.sshd import free_port
from tests.swarm.engines import Engines, needs_engines

pytestmark = needs_engines

API = "/v1.41"
Answer = tuple[int, list[Any]]  # status, and the JSON values of the body


class Call(NamedTuple):
    """One call; "{p}" in it is the side that makes it, so that both can make things.

    `keep` names the id in its answer, for later calls.
    """

    method: str
    path: str
    body: Any = None
    keep: str = ""
    pause: float = 0.0  # seconds to wait before, for what an engine does by itself


def filters(**values: list[str]) -> str:
    return "filters=" + quote(json.dumps({key.replace("_", "-"): value for key, value in values.items()}))


def archive(**files: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


CONTEXT = archive(Dockerfile="FROM busybox\nLABEL a=b\nCMD true\n")
RUNS = {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "HostConfig": {"NetworkMode": "none"}}

CALLS = [
    Call("GET", "/_ping"),
    Call("HEAD", "/_ping"),
    Call("GET", "/version"),
    Call("GET", "/info"),
    # images
    Call("POST", "/build?t={p}app:1", CONTEXT),
    Call("POST", "/build?t={p}app:2&q=1", CONTEXT),
    Call("POST", "/build", archive(Dockerfile="FROM nosuch:{p}\n")),
    Call("POST", "/build", archive(Dockerfile="NONSENSE\n")),
    Call("POST", "/build", b"no archive"),
    Call("POST", "/build?buildargs=nonsense", CONTEXT),
    Call("POST", "/images/create?fromSrc=-&repo={p}imported&tag=1", archive(hello="{p}")),
    Call("POST", "/images/create?fromSrc=-", archive(hello="{p}")),
    Call("POST", "/images/create?fromImage=127.0.0.1:9/nosuch&tag=1"),
    Call("POST", "/images/create"),
    Call("GET", "/images/json"),
    Call("GET", "/images/json?all=1"),
    Call("GET", "/images/json?digests=1"),
    *(
        Call("GET", f"/images/json?{query}")
        for query in (
            filters(reference=["busy*"]), filters(reference=["busybox:latest"]), filters(reference=["nosuch"]),
            filters(reference=["["]), filters(dangling=["true"]), filters(dangling=["0"]), filters(dangling=["x"]),
            filters(label=["a=b"]), filters(label=["nosuch"]), filters(before=["busybox"]), filters(since=["busybox"]),
            filters(before=["nosuch"]), filters(nonsense=["x"]), "filters=[", "filters=5",
        )
    ),
    Call("GET", "/images/busybox/json"),
    Call("GET", "/images/docker.io/library/busybox:latest/json"),
    Call("GET", "/images/nosuch/json"),
    Call("GET", "/images/busybox/history"),
    Call("GET", "/images/nosuch/history"),
    Call("POST", "/images/busybox/tag?repo={p}tagged&tag=1"),
    Call("POST", "/images/busybox/tag?repo=node-1/{p}tagged"),
    Call("POST", "/images/busybox/tag?repo=UPPER"),
    Call("POST", "/images/nosuch/tag?repo=x"),
    Call("POST", "/images/nosuch/push?tag=1"),
    Call("GET", "/images/nosuch/get"),
    Call("GET", "/images/get?names=nosuch"),
    Call("POST", "/images/load?quiet=1", b"no archive"),
    Call("DELETE", "/images/{p}tagged:1"),
    Call("DELETE", "/images/nosuch"),
    Call("GET", "/images/search?term=x&limit=1000"),
    Call("GET", "/distribution/127.0.0.1:9/nosuch/json"),
    # containers
    Call("POST", "/containers/create?name={p}one", RUNS, keep="one"),
    Call("POST", "/containers/create?name={p}two", {**RUNS, "Cmd": ["false"]}, keep="two"),
    Call("POST", "/containers/create?name={p}one", RUNS),
    Call("POST", "/containers/create?name=.", RUNS),
    Call("POST", "/containers/create", {"Image": "nosuch"}),
    Call("POST", "/containers/create", {}),
    Call("POST", "/containers/{one}/start"),
    Call("POST", "/containers/{one}/start"),
    Call("POST", "/containers/{two}/start"),
    Call("POST", "/containers/{two}/wait"),
    Call("POST", "/containers/nosuch/start"),
    Call("GET", "/containers/json", pause=1.0),
    Call("POST", "/containers/etwo/wait"),  # the manager may not know yet that what it did not start has ended
    Call("GET", "/containers/json?all=1"),
    *(
        Call("GET", f"/containers/json?{query}")
        for query in (
            "all=1&size=1", "limit=1", "limit=-1", "limit=--5", "limit=x", filters(status=["exited"]),
            filters(status=["bogus"]), filters(exited=["1"]), "all=1&" + filters(exited=["1"]), filters(exited=["x"]),
            filters(health=["none"]), filters(health=["bogus"]), filters(is_task=["true"]), filters(is_task=["x"]),
            filters(ancestor=["busybox"]), filters(ancestor=["busybox:latest"]), filters(ancestor=["nosuch"]),
            filters(name=["one"]), filters(name=["["]), filters(label=["nosuch"]), filters(network=["none"]),
            filters(volume=["nosuch"]), filters(publish=["80"]), filters(publish=["x"]), filters(expose=["80/udp"]),
            filters(since=["nosuch"]), filters(nonsense=["x"]), filters(isolation=["default"]), "filters=[",
        )
    ),
    Call("GET", "/containers/json?all=1&" + filters(since=["{p}one"])),
    Call("GET", "/containers/json?all=1&" + filters(before=["{p}two"])),
    Call("GET", "/containers/{one}/json"),
    Call("GET", "/containers/{p}one/json?size=1"),
    Call("GET", "/containers/nosuch/json"),
    Call("GET", "/containers/{one}/top"),
    Call("GET", "/containers/{two}/top"),
    Call("GET", "/containers/{one}/logs?stdout=1"),
    Call("GET", "/containers/{one}/changes"),
    Call("GET", "/containers/{one}/stats?stream=0"),
    Call("GET", "/containers/{one}/archive?path=/nosuch"),
    Call("POST", "/containers/{one}/exec", {"Cmd": ["sleep", "1000"]}, keep="exec"),
    Call("POST", "/exec/{exec}/start", {"Detach": True}),
    Call("GET", "/exec/{exec}/json"),
    Call("GET", "/exec/nosuch/json"),
    Call("POST", "/containers/{one}/exec", {}),
    Call("POST", "/containers/{one}/update", {"Memory": 64 << 20, "MemorySwap": 64 << 20}),
    Call("POST", "/containers/{one}/pause"),
    Call("POST", "/containers/{one}/pause"),
    Call("POST", "/containers/{one}/unpause"),
    Call("POST", "/containers/{one}/rename?name={p}other"),
    Call("POST", "/containers/{one}/rename?name="),
    Call("POST", "/containers/{one}/resize?h=x&w=x"),
    Call("POST", "/commit?container={one}&repo={p}committed", {}),
    Call("POST", "/commit?container=nosuch", {}),
    Call("DELETE", "/images/{p}committed"),
    Call("DELETE", "/containers/{one}/nosuch?link=1"),
    Call("DELETE", "/containers/{one}"),
    Call("POST", "/containers/{one}/kill?signal=KILL"),
    Call("POST", "/containers/{one}/kill?signal=NONSENSE"),
    Call("DELETE", "/containers/{one}?v=1&force=1"),
    Call("DELETE", "/containers/{one}"),
    Call("POST", "/containers/prune?" + filters(label=["nosuch"])),
    Call("POST", "/containers/prune?" + filters(nonsense=["x"])),
    # all of it
    Call("GET", "/events?since=0&until=1"),
    Call("GET", "/events?until=x"),
    Call("GET", "/system/df"),
    Call("GET", "/plugins"),
    Call("POST", "/images/prune?" + filters(label=["nosuch"])),
    Call("POST", "/images/prune?" + filters(nonsense=["x"])),
    Call("POST", "/build/prune?" + filters(until=["1000h"])),
    Call("POST", "/build/cancel?id=nosuch"),
    Call("GET", "/nosuch"),
]  # fmt: skip


class Difference(NamedTuple):
    """One that is allowed: why, and what makes the manager's answer (status, values) as the engine's would be."""

    reason: str
    adjust: Callable[[Answer, Answer], Answer]
    always: bool = True  # False: newer engines answer as the manager does


def status(of_manager: int, of_engine: int) -> Callable[[Answer, Answer], Answer]:
    """Another status of an error."""
    return lambda answer, _: (of_engine, answer[1]) if answer[0] == of_manager else answer


def only_keys_of_the_engine(answer: Answer, engine: Answer) -> Answer:
    """Without what the engine does not have."""
    (mine,), (theirs,) = answer[1], engine[1]
    return answer[0], [{key: value for key, value in mine.items() if key in theirs}]


def without_marks(answer: Answer, engine: Answer) -> Answer:
    """Without the node, and the labels by which the swarm knows its containers."""
    status, ((mine,), (theirs,)) = answer[0], (answer[1], engine[1])
    left = {key: value for key, value in mine.items() if key != "Node"}
    labels = {k: v for k, v in mine["Config"]["Labels"].items() if not k.startswith("com.docker.swarm")}
    return status, [{**left, "Config": {**mine["Config"], "Labels": labels or theirs["Config"]["Labels"]}}]


def one_component(answer: Answer, engine: Answer) -> Answer:
    """The components below the engine are not told."""
    (mine,), (theirs,) = answer[1], engine[1]
    return answer[0], [{**mine, "Components": mine["Components"] + theirs["Components"][1:]}]


UNREADABLE = Difference("dockerd 20.10 says 500 to what it cannot read, newer ones say 400", status(400, 500), False)
WITH_NODE = Difference("classic Swarm's inspect has the node, and a label with an id", without_marks)
ALLOWED = {
    "GET /version": Difference("containerd and runc differ from engine to engine", one_component),
    "GET /info": Difference("fields that came after 20.10, and classic Swarm's SystemStatus", only_keys_of_the_engine),
    "GET /containers/{one}/json": WITH_NODE,
    "GET /containers/{p}one/json?size=1": WITH_NODE,
    "GET /containers/json?" + filters(since=["nosuch"]): Difference(
        "what is not there is 404, with newer engines too", status(404, 500), False
    ),
    "POST /build/cancel?id=nosuch": Difference("a build that is not there is said", lambda *_: (200, [])),
    "GET /events?until=x": UNREADABLE,
    "GET /images/json?filters=[": UNREADABLE,
    "GET /images/json?filters=5": UNREADABLE,
    "GET /containers/json?filters=[": UNREADABLE,
    "GET /containers/json?limit=--5": UNREADABLE,
    "GET /containers/json?limit=x": UNREADABLE,
    "GET /containers/json?" + filters(publish=["x"]): UNREADABLE,
    "GET /containers/json?" + filters(exited=["x"]): UNREADABLE,
}


class Side:
    """Who is asked, and the names and ids that stand for {p} and the like."""

    def __init__(self, port: int, prefix: str) -> None:
        self.port = port
        self.names = {"p": prefix}

    def fill(self, text: str) -> str:
        for name, value in self.names.items():
            for place in (f"{{{name}}}", f"%7B{name}%7D"):
                text = text.replace(place, value)
        return text

    def ask(self, call: Call) -> Answer:
        """The status and what is in the answer."""
        time.sleep(call.pause)
        body, kind = call.body, "application/x-tar"
        if isinstance(body, bytes):
            body = body.replace(b"{p}", self.names["p"].encode().ljust(3))  # as long as before: it is in an archive
        elif body is not None:
            body, kind = json.dumps(body).encode(), "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(call.method, API + self.fill(call.path), body, {"Content-Type": kind} if body else {})
            answer = connection.getresponse()
            found = values(answer.read())
        if call.keep:
            self.names[call.keep] = found[0]["Id"]
        return answer.status, found


def values(data: bytes) -> list[Any]:
    """The JSON values of an answer, one after the other; its text when it is no JSON."""
    text, found, decoder = data.decode("utf-8", "replace").strip(), [], json.JSONDecoder()
    try:
        while text:
            value, end = decoder.raw_decode(text)
            found.append(value)
            text = text[end:].strip()
    except ValueError:
        return ["text"]
    return found


def shape(value: Any) -> Any:
    """Keys and types at every depth; a list is the shapes of its items, each once. Keys that are ids are one key."""
    if isinstance(value, dict):
        keys = {key: "*" if len(key) == 64 else key for key in value}
        return {keys[key]: shape(item) for key, item in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(item), sort_keys=True) for item in value})
    return "number" if type(value) in (int, float) else type(value).__name__


def test_what_clients_see_of_one_engine_is_the_same_through_a_manager(tmp_path: Path) -> None:
    with Engines(1) as (engine,):
        port = free_port()
        argv = [sys.executable, "-m", "machine", "swarm", "manage", "-H", f"tcp://127.0.0.1:{port}"]
        env = {**os.environ, "HOME": str(tmp_path), "MACHINE_STORAGE_PATH": str(tmp_path / "store")}
        with (tmp_path / "log").open("wb") as log:
            manager = subprocess.Popen([*argv, f"nodes://127.0.0.1:{engine.port}"], env=env, stdout=log, stderr=log)
        try:
            direct, through = Side(engine.port, "e"), Side(port, "m")
            _until(lambda: through.ask(Call("GET", "/images/json"))[1] != [[]])
            told = differences(direct, through)
        finally:
            manager.terminate()
            manager.wait(20)
    assert b"Traceback" not in (tmp_path / "log").read_bytes()
    assert not told, "\n".join(f"{name}: {why}\n  engine  {a}\n  manager {b}" for name, (why, a, b) in told.items())


def differences(direct: Side, through: Side) -> dict[str, tuple[str, str, str]]:
    """The calls whose answers differ more than is allowed, or less; why that is wrong, and both answers."""
    told = {}
    for number, call in enumerate(CALLS):
        name = f"{call.method} {call.path}"
        one, other = direct.ask(call), through.ask(call)
        differ = _shape(one) != _shape(other)
        allowed = ALLOWED.get(name)
        if allowed is not None and differ:
            differ = _shape(one) != _shape(allowed.adjust(other, one))
            why = f"they may differ ({allowed.reason}), but not so"
        else:
            why = "they differ" if differ else "they do not differ any more"
        if differ or (allowed is not None and allowed.always and "any more" in why):
            where = ", ".join(places(shape(one[1]), shape(other[1])))
            told[f"{name} (call {number})"] = (f"{why} at {where}", str(one)[:500], str(other)[:500])
    return told


def places(one: Any, other: Any, path: str = "") -> list[str]:
    """Where two shapes differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = sorted({*one, *other})
        return [place for key in keys for place in places(one.get(key), other.get(key), f"{path}.{key}")]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other) == 1:
        return places(json.loads(one[0]), json.loads(other[0]), path)
    return [] if one == other else [path or "the whole"]


def _shape(answer: Answer) -> tuple[int, Any]:
    return answer[0], shape(answer[1])


def _until(true: Callable[[], object], seconds: int = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(OSError):
            if true():
                return
        assert time.monotonic() < end
        time.sleep(0.1)
