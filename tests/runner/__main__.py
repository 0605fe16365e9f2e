"""`python -m tests.runner [STAGE...]`: the stages named, or all; status 1 when one failed."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.runner import report
from tests.runner.run import run
from tests.runner.stages import ALL, BY_NAME


def main(names: Sequence[str]) -> int:
    """Run the stages of these names, and say how they went."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        print(f"there is no stage {' '.join(unknown)}; there are: {' '.join(BY_NAME)}", file=sys.stderr)
        return 2
    results = run([BY_NAME[name] for name in names] or ALL)
    print()
    for line in report.lines(results):
        print(line)
    return 1 if any(result.failed for result in results) else 0


sys.exit(main(sys.argv[1:]))
