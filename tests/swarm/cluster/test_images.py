from __future__ import annotations

import pytest

from machine.swarm.cluster.images import ImageTable, NewestTags, without_superseded
from machine.swarm.merge.images import merge_images
from machine.swarm.parsing.image_name import familiar

A, B = "sha256:" + "a1" * 32, "sha256:" + "a2" * 32
DIGEST = "app@sha256:" + "c" * 64


@pytest.mark.parametrize(
    ("name", "listed"),
    [
        ("busybox", "busybox:latest"),
        ("docker.io/library/busybox:1", "busybox:1"),
        ("index.docker.io/library/busybox", "busybox:latest"),
        ("reg:5000/app", "reg:5000/app:latest"),
        ("reg:5000/a/b:2", "reg:5000/a/b:2"),
        ("docker.io/" + DIGEST, DIGEST),
        ("app:1@sha256:" + "c" * 64, DIGEST),
    ],
)
def test_names_as_engines_list_them(name: str, listed: str) -> None:
    assert familiar(name) == listed


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("app", [A]),
        ("docker.io/library/app:latest", [A]),
        (DIGEST, [A]),
        (A, [A]),
        (B[7:], [B]),
        (B[:12], [B]),
        ("a2a2", [B]),
        ("a", []),
        ("a1a1g", []),
        ("beef", [B]),  # a name is looked for before an id
        ("<none>", []),
        ("", []),
    ],
)
def test_what_a_name_means_on_an_engine(name: str, ids: list[str]) -> None:
    table = ImageTable(
        [
            {"Id": A, "RepoTags": ["app:latest"], "RepoDigests": [DIGEST]},
            {"Id": B, "RepoTags": ["<none>:<none>", "beef:latest"], "RepoDigests": None},
        ]
    )
    assert table.find(name) == ids


def test_the_beginning_of_two_ids_means_both() -> None:
    assert ImageTable([{"Id": "sha256:abc1"}, {"Id": "sha256:abc2"}]).find("abc") == ["sha256:abc1", "sha256:abc2"]


def table(**tags: str) -> ImageTable:
    return ImageTable([{"Id": identity, "RepoTags": [f"{tag}:latest"]} for tag, identity in tags.items()])


def test_the_newest_counts_while_an_engine_has_it() -> None:
    newest = NewestTags()
    old, new = table(app=A), table(app=B)
    assert newest.of("app", [old, new]) == frozenset()
    newest.note("app:latest", [B])
    assert newest.of("app", [old, new]) == {B}
    assert newest.superseded_tags([old, new]) == {("app:latest", A)}
    assert newest.of("app", [old]) == frozenset()  # removed, or moved by somebody else
    assert newest.superseded_tags([old]) == set()
    newest.note("app:latest", [])
    assert newest.of("app", [new]) == {B}


@pytest.mark.parametrize(("api", "tags"), [((1, 41), ["<none>:<none>"]), ((1, 43), [])])
def test_an_image_whose_last_tag_moved_has_no_name_as_its_api_says_so(api: tuple[int, int], tags: list[str]) -> None:
    images = [{"Id": A, "RepoTags": ["app:latest"], "RepoDigests": []}, {"Id": B, "RepoTags": ["app:latest"]}]
    without_superseded(images, {("app:latest", A)}, api=api)
    assert images[0]["RepoTags"] == tags
    assert images[1]["RepoTags"] == ["app:latest"]


def test_a_list_that_is_null_on_every_engine_stays_null() -> None:
    image = {"Id": A, "RepoTags": ["x:1"], "RepoDigests": None}
    assert merge_images([[image], [dict(image)]]) == [image]
    assert merge_images([[image], [{**image, "RepoTags": ["y:1"]}]]) == [{**image, "RepoTags": ["x:1", "y:1"]}]
    assert merge_images([[{**image, "Created": "never"}], None]) == [{**image, "Created": "never"}]
