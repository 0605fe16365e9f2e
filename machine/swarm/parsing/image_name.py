"""The name of an image taken apart: https://docs.docker.com/reference/cli/docker/image/tag/ . Pure."""

from __future__ import annotations

_DEFAULT_DOMAINS = ("docker.io/", "index.docker.io/")


def familiar(name: str) -> str:
    """An image's name as engines list it: without the default registry, with `:latest` if it says neither tag nor
    digest. An id stays as it is, but for a `:latest` that does no harm: who looks for an image looks for both."""
    for domain in _DEFAULT_DOMAINS:
        name = name.removeprefix(domain)
    name = name.removeprefix("library/")
    if "@" in name:
        repository, _, digest = name.partition("@")
        return f"{without_tag(repository)}@{digest}"
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def without_tag(name: str) -> str:
    """The repository of a name: `registry:5000/app` of `registry:5000/app:1`."""
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
