"""The proxies of the package manager after the installation, where it has a file for them: apt, dnf and yum.

apt reads a file of ours; dnf 4 and yum have one file, in which a block is ours. zypper, apk and pacman go by the
environment of who calls them: what zypper has as a file, /etc/sysconfig/proxy, is every login's environment as well.
"""

from __future__ import annotations

from machine import engine_proxy
from machine.provision import script_files
from machine.provision.engine_config_files import is_current
from machine.provision.facts import Facts
from machine.provision.host_files import APT_PROXIES, DNF_PROXIES
from machine.provision.spec import Spec
from machine.provision.steps import Run, Step, WriteFile

_DNF_FILES = {"dnf": "/etc/dnf/dnf.conf", "yum": "/etc/yum.conf"}


def steps(facts: Facts, spec: Spec) -> list[Step]:
    """Return the steps by which the package manager uses the machine's proxies, or no longer does."""
    if facts.package_manager in _DNF_FILES:
        return _of_dnf(facts, spec)
    content = engine_proxy.apt_settings(spec.package_proxies) if facts.package_manager == "apt-get" else b""
    if not content:
        return [Run("remove the proxies of apt", f"rm -f {APT_PROXIES}")] if APT_PROXIES in facts.files else []
    private = engine_proxy.have_account(spec.package_proxies)  # apt warns users who may not read it
    file = WriteFile(APT_PROXIES, content, 0o600 if private else 0o644, secret=private)
    return [] if is_current(facts, file) else [file]


def _of_dnf(facts: Facts, spec: Spec) -> list[Step]:
    lines, manager = engine_proxy.dnf_settings(spec.package_proxies), facts.package_manager
    private = engine_proxy.have_account(spec.package_proxies)  # and dnf works for root only then
    if not lines and DNF_PROXIES not in facts.files:
        return []
    if lines and is_current(facts, WriteFile(DNF_PROXIES, lines.encode(), 0o600 if private else 0o644)):
        return []
    script = script_files.read(
        "dnf_proxies",
        file=_DNF_FILES[manager],
        kept=DNF_PROXIES,
        lines=lines,
        end="END_OF_PROXIES",
        mode="600" if private else "$before",
    )
    name = f"{'set' if lines else 'remove'} the proxies of {manager}"
    remark = f"# in {_DNF_FILES[manager]}, [main]: {'an account that is not shown' if private else lines.strip()}"
    return [Run(name, script, shown=remark if lines else "")]
