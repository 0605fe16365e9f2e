"""A home directory with credentials, and a machine that has it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.share import credentials, policy
from machine.share.protocol import Status
from tests.share.conversation import Conversation

SECRET = b"secret of the host"
REFUSED = (Status.NO_SUCH_FILE, Status.PERMISSION_DENIED, Status.FAILURE)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory with credentials and a link to others, beside a directory that is not shared."""
    made = tmp_path / "home"
    for directory in (".ssh", ".config/gcloud", "dotfiles/aws", "project", ".docker/machine/machines"):
        (made / directory).mkdir(parents=True)
        (made / directory / "key").write_bytes(SECRET)
    (made / ".aws").symlink_to("dotfiles/aws")
    (made / ".netrc").write_bytes(SECRET)
    (made / ".bashrc").write_bytes(b"# mine")
    (made / "project" / "code").write_bytes(b"code")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "key").write_bytes(SECRET)
    (made / "project" / "out").symlink_to(outside)
    (made / "project" / "up").symlink_to("../../outside")
    (made / "project" / "file").symlink_to(outside / "key")
    (made / "project" / "to-ssh").symlink_to("../.ssh")
    return made


@pytest.fixture
def machine(home: Path) -> Iterator[Conversation]:
    hidden = credentials.hidden(str(home), str(home / ".docker" / "machine"), {})
    made = Conversation(home, policy.build(os.path.realpath(home), hidden, credentials.read_only(str(home))))
    yield made
    made.close()


def of_home(home: Path, name: Path) -> Conversation:
    """The home directory, which the user's programs call `name`, as a machine sees it."""
    hidden = credentials.hidden(str(name), str(name / ".docker" / "machine"), {})
    return Conversation(home, policy.build(os.path.realpath(home), hidden, credentials.read_only(str(name))))
