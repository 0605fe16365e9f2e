"""The proxies of the package manager after the installation: apt has a file of ours, others go by their environment."""

from __future__ import annotations

from machine import engine_proxy
from machine.errors import masked
from machine.provision.engine_config_files import is_current
from machine.provision.facts import Facts
from machine.provision.host_files import APT_PROXIES
from machine.provision.spec import Spec
from machine.provision.steps import Run, Step, WriteFile


def steps(facts: Facts, spec: Spec) -> list[Step]:
    """Return the steps by which apt uses the machine's proxies, or no longer does."""
    content = engine_proxy.apt_settings(spec.package_proxies) if facts.package_manager == "apt-get" else b""
    if not content:
        return [Run("remove the proxies of apt", f"rm -f {APT_PROXIES}")] if APT_PROXIES in facts.files else []
    private = any(masked(pair) != pair for pair in spec.package_proxies)  # apt warns users who may not read it
    file = WriteFile(APT_PROXIES, content, 0o600 if private else 0o644, secret=private)
    return [] if is_current(facts, file) else [file]
