"""Programs that a release runs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class ReleaseError(Exception):
    """A release cannot be built or must not be made; the text says why and what to do."""


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    seconds: float = 600,
) -> str:
    """Standard output of a program. Raises ReleaseError with the end of what it said when it fails."""
    try:
        done = subprocess.run(
            [str(word) for word in argv],
            cwd=cwd,
            env={**os.environ, **(environ or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise ReleaseError(f"{argv[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise ReleaseError(f"{' '.join(map(str, argv))} did not end within {seconds:.0f} s") from None
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()[-3000:]
        raise ReleaseError(f"{' '.join(map(str, argv))} ended with status {done.returncode}:\n{said}")
    return done.stdout
