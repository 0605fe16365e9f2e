"""paramiko, imported without a third of what it drags in.

It wants `invoke` for the words `Match exec` of ssh_config only, and does without where that is not installed; we
read no ssh_config. `invoke` brings asyncio, YAML and unittest along: 50 ms of a login.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

_hidden = "invoke" not in sys.modules
if _hidden:
    sys.modules["invoke"] = cast(ModuleType, None)  # how Python marks a module that is not to be had
try:
    import paramiko
finally:
    if _hidden:
        del sys.modules["invoke"]

__all__ = ["paramiko"]
