"""The account behind HTTP on loopback; every request and answer is judged by DigitalOcean's description."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from tests.drivers.digitalocean.account import Account, Refusal, missing
from tests.drivers.digitalocean.description import HOST, Exchange
from tests.drivers.loopback_server import JSON, Answered, LoopbackServer

TOKEN = "dop_v1_not-a-token-but-shall-not-be-seen"
Found = tuple[int, Any]
Route = Callable[[Account, tuple[str, ...], dict[str, str], dict[str, Any]], Found]


def _page(key: str, all_of: Callable[[Account, dict[str, str]], list[Any]]) -> Route:
    """A list, page by page."""

    def route(account: Account, words: tuple[str, ...], query: dict[str, str], body: dict[str, Any]) -> Found:
        things = all_of(account, query)
        size, number = min(int(query.get("per_page", 20)), Server.largest_page), int(query.get("page", 1))
        links = {}
        if number * size < len(things):
            rest = urllib.parse.urlencode({**query, "page": number + 1})
            links = {"pages": {"next": f"{HOST}/v2/{key}?{rest}", "last": f"{HOST}/v2/{key}?{rest}"}}
        shown = things[(number - 1) * size : number * size]
        return 200, {key: shown, "links": links, "meta": {"total": len(things)}}

    return route


def _volumes(account: Account, query: dict[str, str]) -> list[Any]:
    return [
        volume
        for volume in account.volumes.values()
        if query.get("name", volume["name"]) == volume["name"]
        and query.get("region", volume["region"]["slug"]) == volume["region"]["slug"]
    ]


def _droplets(account: Account, query: dict[str, str]) -> list[Any]:
    return [d for d in account.droplets.values() if "tag_name" not in query or query["tag_name"] in d["tags"]]


def _done(act: Callable[[Account, tuple[str, ...], dict[str, Any]], None]) -> Route:
    """Do it; there is nothing to answer."""

    def route(account: Account, words: tuple[str, ...], query: dict[str, str], body: dict[str, Any]) -> Found:
        act(account, words, body)
        return 204, None

    return route


def _delete(what: str) -> Route:
    def route(account: Account, words: tuple[str, ...], query: dict[str, str], body: dict[str, Any]) -> Found:
        things = getattr(account, what)
        key = int(words[0]) if what == "keys" else words[0]
        if key not in things:
            raise missing()
        del things[key]
        return 204, None

    return route


ROUTES: list[tuple[str, str, Route]] = [
    ("GET", "account", lambda a, w, q, b: (200, {"account": a.account()})),
    ("GET", "regions", _page("regions", lambda a, q: a.regions())),
    ("GET", "sizes", _page("sizes", lambda a, q: a.sizes())),
    ("GET", "images/([^/]+)", lambda a, w, q, b: (200, {"image": a.image(w[0])})),
    ("GET", "vpcs", _page("vpcs", lambda a, q: [a.vpc(key) for key in a.vpcs])),
    ("GET", "vpcs/([^/]+)", lambda a, w, q, b: (200, {"vpc": a.vpc(w[0])})),
    ("GET", "account/keys", _page("ssh_keys", lambda a, q: list(a.keys.values()))),
    ("GET", "account/keys/([^/]+)", lambda a, w, q, b: (200, {"ssh_key": a.key(w[0])})),
    ("POST", "account/keys", lambda a, w, q, b: (201, {"ssh_key": a.make_key(b)})),
    ("DELETE", "account/keys/([0-9]+)", _delete("keys")),
    ("POST", "tags", lambda a, w, q, b: (201, {"tag": a.make_tag(b)})),
    ("DELETE", "tags/([^/]+)", _done(lambda a, w, b: a.delete_tag(w[0]))),
    ("GET", "firewalls", _page("firewalls", lambda a, q: list(a.firewalls.values()))),
    ("POST", "firewalls", lambda a, w, q, b: (202, {"firewall": a.make_firewall(b)})),
    ("DELETE", "firewalls/([^/]+)", _delete("firewalls")),
    ("POST", "firewalls/([^/]+)/tags", _done(lambda a, w, b: a.tag_firewall(w[0], b["tags"], True))),
    ("DELETE", "firewalls/([^/]+)/tags", _done(lambda a, w, b: a.tag_firewall(w[0], b["tags"], False))),
    ("GET", "volumes", _page("volumes", _volumes)),
    ("POST", "volumes", lambda a, w, q, b: (201, {"volume": a.make_volume(b)})),
    ("DELETE", "volumes/([^/]+)", _done(lambda a, w, b: a.delete_volume(w[0]))),
    ("GET", "reserved_ips", _page("reserved_ips", lambda a, q: list(a.reserved.values()))),
    ("GET", "reserved_ips/([^/]+)", lambda a, w, q, b: (200, {"reserved_ip": a.one(a.reserved, w[0])})),
    ("POST", "reserved_ips", lambda a, w, q, b: (202, {"reserved_ip": a.make_reserved(b)})),
    ("POST", "reserved_ips/([^/]+)/actions", lambda a, w, q, b: (201, {"action": a.assign(w[0], b)})),
    ("DELETE", "reserved_ips/([^/]+)", _delete("reserved")),
    ("GET", "droplets", _page("droplets", _droplets)),
    ("POST", "droplets", lambda a, w, q, b: (202, {"droplet": a.make_droplet(b), "links": {"actions": []}})),
    ("GET", "droplets/([0-9]+)", lambda a, w, q, b: (200, {"droplet": a.droplet(int(w[0]))})),
    ("DELETE", "droplets/([0-9]+)", _done(lambda a, w, b: a.delete_droplet(int(w[0])))),
    ("POST", "droplets/([0-9]+)/actions", lambda a, w, q, b: (201, {"action": a.act(int(w[0]), b["type"], b)})),
    ("GET", "droplets/([0-9]+)/firewalls", _page("firewalls", lambda a, q: a.walls_of(a.droplet(int(q["droplet"]))))),
]


class Server(LoopbackServer):
    """Running until `stop`. `wrong` is what the description forbids and happened all the same."""

    largest_page = 200

    def __init__(self, account: Account) -> None:
        self.account = account
        self.strangers: dict[str, Account] = {}  # by their tokens
        self.wrong: list[str] = []
        super().__init__()

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answered:
        """What goes back, judged."""
        with self.lock:
            exchange = Exchange(method, path, headers, body)
            wrong = exchange.wrong()
            try:
                status, found = self._do(exchange, headers, json.loads(body) if body else {}, wrong)
            except Refusal as refusal:
                status, found = refusal.status, refusal.body
            packed = b"" if found is None else json.dumps(found).encode()
            wrong = wrong or exchange.wrong_answer(status, packed, JSON)
            self.wrong += [wrong] * bool(wrong)
        return status, packed, JSON

    def _do(self, exchange: Exchange, headers: Mapping[str, str], body: dict[str, Any], wrong: str) -> Found:
        if wrong:
            raise Refusal(400, "bad_request", wrong)
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        account = self.account if token == TOKEN else self.strangers.get(token)
        if account is None:
            raise Refusal(401, "unauthorized", "Unable to authenticate you")
        account.settle()
        for method, pattern, route in ROUTES:
            match = re.fullmatch(f"/v2/{pattern}", urllib.parse.unquote(exchange.path))
            if match and method == exchange.method:
                words = match.groups()
                return route(account, words, {**exchange.query, "droplet": words[0] if words else ""}, body)
        raise missing()
