"""A VBoxManage on PATH: python -m tests.bench.vboxmanage STATE_DIRECTORY WORD...; it answers as recorded."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from machine.process import Completed
from tests.drivers.virtualbox.fake_vboxmanage import Fake


class OnPath(Fake):
    """With what docker-machine does in another way: a disk through a pipe, an option before the name."""

    def do_convertfromraw(self, space: dict[str, Any], words: list[str]) -> Completed:
        if words[0] != "stdin":
            return super().do_convertfromraw(space, words)
        raw = self.directory / "stdin.raw"
        with raw.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        os.truncate(raw, int(words[2]))
        try:
            return super().do_convertfromraw(space, [str(raw), words[1]])
        finally:
            raw.unlink()

    def do_unregistervm(self, space: dict[str, Any], words: list[str]) -> Completed:
        return super().do_unregistervm(space, sorted(words, key=lambda word: word.startswith("--")))


def put(directory: Path, fake: Fake) -> None:
    """The program into a directory for PATH."""
    directory.mkdir(parents=True, exist_ok=True)
    path, root = directory / "VBoxManage", Path(__file__).parents[2]
    path.write_text(f'#!/bin/sh\ncd "{root}" && exec "{sys.executable}" -m {__name__} "{fake.directory}" "$@"\n')
    path.chmod(0o755)


if __name__ == "__main__":
    done = OnPath(Path(sys.argv[1])).run(["VBoxManage", *sys.argv[2:]])
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    sys.exit(done.status)
