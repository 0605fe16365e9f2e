"""The template agent (template_agent.py) as it is started in a virtual machine that becomes a template."""

from __future__ import annotations

import hashlib
import os

from machine.drivers.images import port_reporter_unit

PROGRAM = "/run/machine/template.py"  # in memory, so that it is gone after a reboot

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "template_agent.py"), encoding="utf-8") as _file:
    SCRIPT = _file.read()

VERSION = hashlib.sha256(SCRIPT.encode()).hexdigest()[:12]
COMMAND = (  # when the first boot is over
    *("systemd-run", "--no-block", "--unit=machine-template", "--property=After=cloud-final.service"),
    *(f"--property=Conflicts={port_reporter_unit.UNIT}", "/usr/bin/python3", "-SE", PROGRAM),
)
FILES = ((PROGRAM, "0700", SCRIPT),)
