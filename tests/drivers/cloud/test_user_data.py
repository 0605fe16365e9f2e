"""User data for cloud-init: read back as cloud-init reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.cloud.errors import BadUserData, ErrorTable
from machine.drivers.cloud.user_data import UnknownKind, UserDataLimits, compose, for_create
from tests.drivers.fake_cloud_init import config, parts

PAIR = ("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n", "ssh-ed25519 AAAA dev")


def test_nothing_to_say() -> None:
    assert compose(("", "")) == ""
    assert compose(("", ""), "", "  \n") == ""


def test_the_host_key_alone_is_plain_cloud_config() -> None:
    text = compose(PAIR)
    assert text.startswith("#cloud-config\n")
    assert config(text)["ssh_keys"] == {"ed25519_private": PAIR[0], "ed25519_public": PAIR[1]}
    assert config(text)["ssh_deletekeys"] is True


def test_what_the_user_brings_stays_as_it_is_when_alone() -> None:
    assert compose(("", ""), "#!/bin/sh\ntrue\n") == "#!/bin/sh\ntrue\n"


def test_both_are_parts_and_ours_wins() -> None:
    own = "#cloud-config\nssh_keys: {rsa_private: x}\npackages: [zsh]\nnote: 'gr\u00fc\u00df'\n"
    text = compose(PAIR, own, "#!/bin/sh\necho '--==' \u00e9\n")
    assert [kind for kind, _ in parts(text)] == ["text/cloud-config", "text/x-shellscript", "text/cloud-config"]
    merged = config(text)
    assert merged["packages"] == ["zsh"]
    assert merged["note"] == "gr\u00fc\u00df"
    assert merged["ssh_keys"]["ed25519_private"] == PAIR[0]
    assert parts(text)[1][1].strip() == "#!/bin/sh\necho '--==' \u00e9"


def test_mime_is_taken_along_whole() -> None:
    inner = compose(("", ""), "#!/bin/sh\necho one\n", "#cloud-config\na: 1\n").replace("machine-part", "theirs")
    found = [kind for kind, _ in parts(compose(PAIR, inner))]
    assert found == ["text/x-shellscript", "text/cloud-config", "text/cloud-config"]


@pytest.mark.parametrize("text", ["packages: [zsh]\n", "\x1f\x8b binary", "echo hello\n"])
def test_what_cloud_init_would_ignore_is_refused(text: str) -> None:
    with pytest.raises(UnknownKind):
        compose(("", ""), text)
    with pytest.raises(UnknownKind):
        compose(PAIR, text)


RULES = UserDataLimits("the sky", "--sky-userdata", 100)
TABLE = ErrorTable("sky", advice={BadUserData: "check --sky-userdata"})


def test_the_users_file_and_ours_are_read_together(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\ntrue\n")
    assert for_create(str(mine), ("", ""), "", RULES, TABLE) == "#!/bin/sh\ntrue\n"
    assert for_create("", ("", ""), "#!/bin/sh\n", RULES, TABLE) == "#!/bin/sh\n"
    joined = UserDataLimits("the sky", "--sky-userdata", 100, lambda key, own, more: f"{own}{more}")
    assert for_create(str(mine), ("", ""), "more", joined, TABLE) == "#!/bin/sh\ntrue\nmore"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"what is this", None])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None) -> None:
    mine = tmp_path / "mine"
    if content is not None:
        mine.write_bytes(content)
    with pytest.raises(BadUserData, match="mine cannot be used") as caught:
        for_create(str(mine), ("", ""), "", RULES, TABLE)
    assert caught.value.resolution == "check --sky-userdata"


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("#!/bin/sh\n" + "#" * 100)
    with pytest.raises(BadUserData, match="too long: the sky takes 100 bytes") as caught:
        for_create(str(mine), ("", ""), "", RULES, TABLE)
    assert "--sky-userdata" in caught.value.resolution


def test_text_in_place_of_a_file() -> None:
    assert for_create("", ("", ""), "", RULES, TABLE, own="#!/bin/sh\n") == "#!/bin/sh\n"
    with pytest.raises(BadUserData, match="the user data cannot be used"):
        for_create("", ("", ""), "", RULES, TABLE, own="what is this")
