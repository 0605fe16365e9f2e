"""The project behind HTTP on loopback; every answer is held against those that were recorded."""

from __future__ import annotations

import copy
import json
import re
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from tests.drivers.hetzner import recorded
from tests.drivers.hetzner.project import Project, Refusal, missing
from tests.drivers.loopback_server import JSON, Answered, LoopbackServer

TOKEN = "hcl0udT0kenThatNobodyMaySee4711hcl0udT0kenThatNobodyMaySee471100"
READ_ONLY = "hcl0udT0kenThatMayOnlyRead471100hcl0udT0kenThatMayOnlyRead471100"
KINDS = ("servers", "ssh_keys", "firewalls", "placement_groups", "networks", "volumes", "primary_ips")
MAKERS = ("ssh_keys", "firewalls", "placement_groups")
Found = tuple[int, Any]
Query = dict[str, list[str]]


def fits(thing: Mapping[str, Any], query: Query) -> bool:
    """Whether a thing is among those that a list was asked for."""
    for key in ("name", "fingerprint", "ip", "architecture", "type", "status"):
        if query.get(key) and str(thing.get(key)) not in query[key]:
            return False
    for selector in query.get("label_selector", []):
        key, equal, value = selector.replace("==", "=").partition("=")
        if key not in thing["labels"] or (equal and thing["labels"][key] != value):
            return False
    return True


def page(kind: str, present: list[Any], query: Query) -> Found:
    """A list, page by page."""
    found = [one for one in present if fits(one, query)]
    size, number = min(int(query.get("per_page", ["25"])[0]), Server.largest_page), int(query.get("page", ["1"])[0])
    last = max(1, -(-len(found) // size))
    meta = {
        "page": number,
        "per_page": size,
        "previous_page": number - 1 if number > 1 else None,
        "next_page": number + 1 if number < last else None,
        "last_page": last,
        "total_entries": len(found),
    }
    return 200, {kind: found[(number - 1) * size : number * size], "meta": {"pagination": meta}}


class Server(LoopbackServer):
    """Running until `stop`. `wrong` is what no recorded answer has and happened all the same."""

    largest_page = 50

    def __init__(self, project: Project) -> None:
        self.project = project
        self.strangers: dict[str, Project] = {}  # by their tokens
        self.wrong: list[str] = []
        self.asked: list[tuple[str, str, Any]] = []  # method, path, body
        super().__init__()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """What goes back, judged."""
        with self.lock:
            try:
                status, found = self._do(method, path, headers, json.loads(body) if body else {})
            except Refusal as refusal:
                status, found = refusal.status, refusal.body
            if found is not None:
                self.wrong += [f"{method} {path}: {status}: {one}" for one in recorded.wrong(copy.deepcopy(found))]
        limit = {"RateLimit-Limit": "3600", "RateLimit-Remaining": "3599", "RateLimit-Reset": str(int(time.time()) + 1)}
        return status, b"" if found is None else json.dumps(found).encode(), {**JSON, **limit}

    def _do(self, method: str, path: str, headers: Mapping[str, str], body: dict[str, Any]) -> Found:
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        project = self.project if token in (TOKEN, READ_ONLY) else self.strangers.get(token)
        if project is None:
            raise Refusal(401, "unauthorized", "the token you provided is invalid")
        if token == READ_ONLY and method != "GET":
            raise Refusal(403, "token_readonly", "this token is read only")
        project.settle()
        parts = urllib.parse.urlsplit(path)
        self.asked.append((method, parts.path, body))
        query = urllib.parse.parse_qs(parts.query)
        match = re.fullmatch(r"/v1/([a-z_]+)(?:/([0-9]+)(?:/actions/([a-z_]+))?)?", parts.path)
        if match is None:
            raise missing("page")
        kind, number, verb = match[1], int(match[2] or 0), match[3]
        if method == "GET":
            return self._get(project, kind, number, query)
        if method == "POST":
            return self._post(project, kind, (number, verb), body)
        if method == "PUT":
            return self._put(project, kind, number, body)
        return self._delete(project, kind, number)

    def _put(self, project: Project, kind: str, number: int, body: Any) -> Found:
        """Of what can be changed, the labels."""
        if kind != "ssh_keys" or number not in project.ssh_keys:
            raise missing(kind.removesuffix("s"))
        project.ssh_keys[number]["labels"] = dict(body["labels"])
        return 200, {"ssh_key": project.ssh_keys[number]}

    def _get(self, project: Project, kind: str, number: int, query: Query) -> Found:
        sold: dict[str, Callable[[], list[Any]]] = {
            "locations": project.catalogue.locations,
            "server_types": lambda: project.catalogue.server_types,
            "images": lambda: project.catalogue.images,
        }
        if kind not in (*sold, *KINDS):
            raise missing("page")
        present = sold[kind]() if kind in sold else list(getattr(project, kind).values())
        if not number:
            return page(kind, present, query)
        found = next((one for one in present if one["id"] == number), None)
        if found is None:
            raise missing(kind.removesuffix("s"))
        return 200, {kind.removesuffix("s"): found}

    def _post(self, project: Project, kind: str, action: tuple[int, str | None], body: Any) -> Found:
        number, verb = action
        if kind == "servers" and verb == "change_type":
            return 201, {"action": project.change_type(number, body)}
        if kind == "servers" and verb:
            return 201, {"action": project.act(number, verb)}
        if kind == "servers":
            made = project.make_server(body)
            actions = [project.action(command, made["id"]) for command in ("create_server", "start_server")]
            return 201, {"server": made, "action": actions[0], "next_actions": actions[1:], "root_password": None}
        if kind not in MAKERS:
            raise missing("page")
        singular = kind.removesuffix("s")
        answer = {singular: getattr(project, f"make_{singular}")(body)}
        return 201, {**answer, "actions": []} if kind == "firewalls" else answer

    def _delete(self, project: Project, kind: str, number: int) -> Found:
        if kind == "servers":
            return 200, {"action": project.delete_server(number)}
        if kind not in MAKERS:
            raise missing("page")
        project.delete(kind, number)
        return 204, None
