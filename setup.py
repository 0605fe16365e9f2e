"""Build: the version out of git's tags, and what is made for a package. All else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup

sys.path.insert(0, str(Path(__file__).resolve().parent))
from release.setup_commands import COMMANDS
from release.version import scm_version

setup(cmdclass=COMMANDS, use_scm_version=scm_version())
