"""The images of a simulated engine. Builds are told by no event, as those of BuildKit are in Docker 20.10."""

# ruff: noqa: ARG002 (every route is called alike)

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase as fnmatch
from secrets import token_hex
from typing import Any

from machine.swarm.parsing import target as targets
from machine.swarm.pipeline import ApiError
from machine.swarmd.simulator.responses import Response, dump, json_response, with_default_tag

CREATED = 1700000000  # seconds since 1970 of the first image; every further one is a second younger


class Images:
    """The part of an engine that has images; bytes in, bytes out."""

    def __init__(self) -> None:
        self.images: dict[str, str] = {"busybox:latest": "sha256:" + "b" * 64}  # tag -> id
        self.created_at: dict[str, int] = {"sha256:" + "b" * 64: CREATED}  # id -> seconds since 1970
        self.parents: dict[str, str] = {}  # id -> id of what it was built from
        self.hidden: set[str] = set()  # ids that other images were made from: not listed

    def image_list(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /images/json"""
        by_id: dict[str, list[str]] = {identity: [] for identity in self.created_at if identity not in self.hidden}
        for tag, identity in self.images.items():
            by_id.setdefault(identity, []).append(tag)
        common = {"ParentId": "", "Size": 1024, "Labels": {}, "Containers": -1}
        fits = self._filter(targets.filters(query.get("filters", ""), ApiError))
        return json_response(
            [
                {
                    "Id": identity,
                    "RepoTags": tags or ["<none>:<none>"],
                    "RepoDigests": [] if tags else ["<none>@<none>"],
                    "Created": self.created_at.get(identity, CREATED),
                    **common,
                }
                for identity, tags in by_id.items()
                if fits(identity, tags)
            ]
        )

    def _filter(self, filters: Mapping[str, list[str]]) -> Callable[[str, list[str]], bool]:
        for key in filters:
            if key not in ("before", "since", "dangling", "reference"):
                raise ApiError(400, f"invalid filter '{key}'")
        bounds = {
            key: self.created_at[self._existing_image(filters[key][0])] for key in ("before", "since") if key in filters
        }
        dangling = [value in ("1", "true") for value in filters.get("dangling", [])]
        patterns = filters.get("reference", [])

        def fits(identity: str, tags: list[str]) -> bool:
            created = self.created_at.get(identity, CREATED)
            if created >= bounds.get("before", created + 1) or created <= bounds.get("since", created - 1):
                return False
            if dangling and dangling[0] is bool(tags):
                return False
            return not patterns or any(fnmatch(t.partition(":")[0], p) or t == p for t in tags for p in patterns)

        return fits

    def image_create(self, query: Mapping[str, str], body: Any) -> Response:
        """POST /images/create: whatever is pulled is there; an import makes an image with an id of its own."""
        if not query.get("fromImage"):
            identity = self._add_image(token_hex(32), query.get("repo", ""), query.get("tag", ""))
            return Response(200, dump({"status": identity}) + b"\r\n")
        name = query["fromImage"]
        tag = with_default_tag(f"{name}:{query['tag']}" if query.get("tag") else name)
        if tag not in self.images:
            self._add_image(token_hex(32), tag)
        return Response(200, dump({"status": f"Status: Downloaded newer image for {tag}"}) + b"\r\n")

    def image_build(self, query: Mapping[str, str], body: bytes) -> Response:
        """POST /build: the same context gives the same image."""
        context = repr((body, query.get("remote"), query.get("buildargs"))).encode()
        identity = self._add_image(hashlib.sha256(context).hexdigest(), query.get("t", ""))
        lines = [{"aux": {"ID": identity}}, {"stream": f"Successfully built {identity[7:19]}\n"}]
        return Response(200, b"".join(dump(line) + b"\r\n" for line in lines))

    def image_tag(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """POST /images/X/tag"""
        self.images[with_default_tag(":".join(filter(None, (query.get("repo"), query.get("tag")))))] = (
            self._existing_image(x)
        )
        return Response(201)

    def image_save(self, query: Mapping[str, str], body: Any) -> Response:
        """GET /images/get, of one name: something that `image_load` understands."""
        name = query.get("names", "")
        identity = self._existing_image(name)
        return Response(
            200,
            dump({"id": identity, "tags": [with_default_tag(name)] if with_default_tag(name) in self.images else []}),
        )

    def image_load(self, query: Mapping[str, str], body: bytes) -> Response:
        """POST /images/load"""
        try:
            saved = json.loads(body)
            identity, tags = str(saved["id"]), [str(tag) for tag in saved["tags"]]
        except (ValueError, TypeError, KeyError) as error:
            raise ApiError(500, f"archive/tar: invalid tar header: {error}") from error
        self._add_image(identity.removeprefix("sha256:"), *tags)
        names = [f"Loaded image: {tag}\n" for tag in tags] or [f"Loaded image ID: {identity}\n"]
        return Response(200, b"".join(dump({"stream": name}) + b"\r\n" for name in names))

    def image_inspect(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """GET /images/X/json"""
        identity = self._existing_image(x)
        tags = [tag for tag, image_id in self.images.items() if image_id == identity]
        return json_response(
            {"Id": identity, "RepoTags": tags, "RepoDigests": [], "Os": "linux", "Architecture": "amd64", "Size": 1024}
        )

    def image_remove(self, query: Mapping[str, str], body: Any, x: str) -> Response:
        """DELETE /images/X"""
        identity = self._existing_image(x)
        untagged = self.images.pop(with_default_tag(x), None)
        if untagged is None:
            self.images = {tag: image_id for tag, image_id in self.images.items() if image_id != identity}
        if identity not in self.images.values():
            self.created_at.pop(identity, None)
        return json_response([{"Untagged": with_default_tag(x)}])

    def made_from(self, name: str) -> set[str]:
        """An image, and the ids of those that were built from it."""
        first = self._image(name)
        found = {first} if first else set()
        while more := {image_id for image_id, parent in self.parents.items() if parent in found} - found:
            found |= more
        return found

    def _add_image(self, digest: str, name: str = "", tag: str = "") -> str:
        identity = f"sha256:{digest}"
        self.created_at.setdefault(identity, CREATED + len(self.created_at))
        if name:
            self.images[with_default_tag(f"{name}:{tag}" if tag else name)] = identity
        return identity

    def _existing_image(self, name: str) -> str:
        found = self._image(name)
        if found is None:
            raise ApiError(404, f"No such image: {with_default_tag(name)}")
        return found

    def _image(self, name: str) -> str | None:
        found = self.images.get(with_default_tag(name))
        if found or not name:
            return found
        ids = [
            image_id
            for image_id in self.created_at
            if image_id in (name, "sha256:" + name) or image_id.startswith("sha256:" + name)
        ]
        return ids[0] if ids else None
