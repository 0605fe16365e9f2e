"""Which engine has the cache of a build: the one that has the images of `cachefrom`, or that built the same before.

The same is: an image of the same repository (CI gives every build another tag); without a tag the same remote
context and Dockerfile. Only among the engines that the scheduler allows.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from machine.swarm.cluster import Engine
from machine.swarm.manager.routes.context import ManagerContext
from machine.swarm.manager.routes.holders import cached_holders
from machine.swarm.parsing.image_name import familiar, without_tag
from machine.swarm.pipeline import ApiError, Request

MAX_REMEMBERED_BUILDS = 10_000  # repositories and contexts of which the engine that built them is remembered


def engine_with_cache(context: ManagerContext, request: Request, candidates: Sequence[Engine]) -> Engine:
    """The engine of `candidates` (at least one) whose cache has most of what the build can use; of equals the first."""
    sources = [set(_engines_with_image(context, name)) for name in cache_sources(request.query_value("cachefrom"))]
    before = {context.build_caches.get(key) for key in cache_keys(request)}
    return max(candidates, key=lambda engine: (sum(engine in holders for holders in sources), engine in before))


def remember(context: ManagerContext, request: Request, engine: Engine) -> None:
    """Remember that `engine` runs this build, and so has its cache from now on."""
    for key in cache_keys(request):
        context.build_caches[key] = engine
        context.build_caches.move_to_end(key)
    while len(context.build_caches) > MAX_REMEMBERED_BUILDS:
        context.build_caches.popitem(last=False)


def cache_keys(request: Request) -> list[str]:
    """The keys by which a later build is recognized as the same: its repositories, else its context."""
    tags = [without_tag(familiar(tag)) for tag in request.query.get("t", []) if tag]
    if tags:
        return [f"repository {tag}" for tag in dict.fromkeys(tags)]
    return ["context " + json.dumps([request.query_value(key) for key in ("remote", "dockerfile", "target", "labels")])]


def cache_sources(text: str) -> list[str]:
    """The images in the argument `cachefrom`: a JSON list of names, or of objects with `Attrs.ref` (BuildKit)."""
    try:
        value: Any = json.loads(text) if text else []
    except (ValueError, RecursionError):
        return []  # the engine words it
    names = []
    for item in value if isinstance(value, list) else []:
        attributes = item.get("Attrs") if isinstance(item, dict) else None
        name = attributes.get("ref") if isinstance(attributes, dict) else item
        if isinstance(name, str) and name:
            names.append(name)
    return names


def _engines_with_image(context: ManagerContext, name: str) -> list[Engine]:
    try:
        return cached_holders(context, name, older=True)
    except ApiError:  # the beginning of several ids: no engine is the better for it
        return []
