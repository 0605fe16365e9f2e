"""Where file systems of the kernel are mounted: /proc/PID/mem, of any process of the user, is a plain file there."""

from __future__ import annotations

import re

_KINDS = (
    *("proc", "sysfs", "devtmpfs", "devpts", "cgroup", "cgroup2", "debugfs", "tracefs"),
    *("securityfs", "configfs", "mqueue", "bpf", "pstore", "efivarfs", "binfmt_misc"),
    *("selinuxfs", "fusectl", "hugetlbfs", "rpc_pipefs", "nsfs"),
)
_TABLE = "/proc/self/mountinfo"


def places(table: str = _TABLE) -> list[str]:
    """The directories, wherever somebody mounted them: a tree to build or to boot in may have them, too.

    None where there is no such table (macOS has no such file systems).
    """
    try:
        with open(table, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:  # proc(5): ID PARENT DEVICE ROOT PLACE OPTIONS ... - KIND SOURCE ...
        before, _, after = line.partition(" - ")
        words = before.split(" ")
        if len(words) > 4 and after.split(" ", 1)[0] in _KINDS:
            found.append(re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), words[4]))
    return found
