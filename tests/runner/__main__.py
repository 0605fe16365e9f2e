"""`python -m tests.runner [NAME...]`: all stages, or the stages and groups named; status 1 when one failed."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence

from tests.runner import report
from tests.runner.run import run
from tests.runner.shared import SHARED
from tests.runner.stages import BY_NAME, GROUPS, Stage


def main(names: Sequence[str]) -> int:
    """Run the stages of these names, and say how they went."""
    groups: list[Sequence[Stage]] = []
    for name in names or ["all"]:
        if name not in BY_NAME and name not in GROUPS:
            print(f"there is no stage {name}; there are: {' '.join((*BY_NAME, *GROUPS))}", file=sys.stderr)
            return 2
        groups += GROUPS.get(name) or [[BY_NAME[name]]]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="machine-tests-", ignore_cleanup_errors=True) as shared:
        os.environ[SHARED] = shared
        results = run(groups, to_the_end=list(names) != ["check"])
    print()
    for line in report.lines(results, time.monotonic() - began):
        print(line)
    in_ci = bool(os.environ.get("CI"))
    return 1 if any(result.failed or (in_ci and result.only_skipped) for result in results) else 0


sys.exit(main(sys.argv[1:]))
