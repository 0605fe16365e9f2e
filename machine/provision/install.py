"""Installation of Docker: by a script from the net or from the distribution's packages."""

from __future__ import annotations

import shlex

from machine.errors import ProvisionError, masked
from machine.model import EngineOptions
from machine.provision import packages
from machine.provision.distros import find_or_refuse
from machine.provision.distros.base import Distro
from machine.provision.facts import Facts
from machine.provision.steps import Run, Step

DEFAULT_URL = EngineOptions().install_url
INSTALL_SECONDS = 1800.0
_DIRECTORY = "/run/machine-install"
_SCRIPT_PATH = f"{_DIRECTORY}/install-docker.sh"

# `cloud-init status --wait` says 2 for "done, with recoverable errors".
WAIT_FOR_CLOUD_INIT = Run(
    "wait for cloud-init",
    """\
status=0
timeout 600 cloud-init status --wait >/dev/null || status=$?
case "$status" in
    0|2) ;;
    124) echo "cloud-init is not done after 10 minutes; going on without it" ;;
    *) cloud-init status --long || true ;;
esac
""",
    seconds=660.0,
)


def steps(facts: Facts, url: str) -> list[Step]:
    """Return the steps that install Docker. Raises ProvisionError if that is not allowed or not possible."""
    distro = find_or_refuse(facts)
    if url == "none":
        raise ProvisionError(
            f"there is no Docker on the machine ({facts.distro}), and --engine-install-url none says not to install it",
            resolution="install it by hand, then: machine provision NAME",
        )
    if distro is None or not distro.package_manager:
        raise ProvisionError(
            f"there is no Docker on the machine, and machine cannot install it on {facts.distro}",
            resolution=distro.resolution if distro else "install it by hand, then: machine provision NAME",
        )
    if url == "distro" or (url == DEFAULT_URL and not distro.in_get_docker_com):
        return _from_packages(facts, distro)
    return _from_script(facts, distro, url)


def _manager(facts: Facts, distro: Distro) -> str:
    """Return the package manager that the machine has (an old RHEL has yum only), else the distribution's."""
    return (
        facts.package_manager
        if facts.package_manager in ("dnf", "yum") and distro.package_manager == "dnf"
        else distro.package_manager
    )


def _from_packages(facts: Facts, distro: Distro) -> list[Step]:
    manager = _manager(facts, distro)
    script = packages.install(manager, distro.packages, distro.optional)
    resolution = distro.resolution or f"see that {distro.title}'s package mirror can be reached from the machine"
    run = Run(f"install {' '.join(distro.packages)}", script, seconds=INSTALL_SECONDS, resolution=resolution)
    return [*_repository(facts, distro), run]


def _repository(facts: Facts, distro: Distro) -> list[Step]:
    if not distro.repository:
        return []
    target = "/etc/yum.repos.d/docker-ce.repo"
    fetch = fetch_command(facts, distro.repository, f"{target}.new")
    script = f"[ -f {target} ] || {{ {fetch} && mv {target}.new {target}; }}"
    resolution = f"{distro.title} has no Docker of its own; let the machine reach {distro.repository}"
    return [Run("add Docker's package repository", script, resolution=resolution)]


def _from_script(facts: Facts, distro: Distro, url: str) -> list[Step]:
    """Return the steps for a script from the net, fetched whole before it is run: half of one must never be."""
    manager = _manager(facts, distro)
    install_fetcher: list[Step] = []
    if not facts.fetcher:
        install_fetcher = [
            Run("install curl", packages.install(manager, ["curl", "ca-certificates"]), seconds=INSTALL_SECONDS)
        ]
    fetch = f"rm -rf {_DIRECTORY}\nmkdir -m 0700 {_DIRECTORY}\n{fetch_command(facts, url, _SCRIPT_PATH)}\n"
    fetch += f'[ -s {_SCRIPT_PATH} ] || {{ echo "{_without_quotes(masked(url))} is empty" >&2; exit 1; }}\n'
    resolution = "let the machine reach it, or take the distribution's own packages: --engine-install-url distro"
    run = f"""\
{packages.WAIT_FOR_LOCK}conf={_SCRIPT_PATH}.apt
printf 'DPkg::Lock::Timeout "{packages.LOCK_SECONDS}";\\n' >"$conf"
status=0
export APT_CONFIG="$conf" DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1
patiently sh {_SCRIPT_PATH} || status=1
printf '%s\\n' "$said"
rm -rf {_DIRECTORY}
exit "$status"
"""
    return [
        *install_fetcher,
        Run(f"fetch {masked(url)}", fetch, seconds=120.0, resolution=resolution),
        Run(
            "install Docker",
            run,
            seconds=INSTALL_SECONDS,
            resolution=f"{resolution} (the output above is the script's)",
        ),
    ]


def fetch_command(facts: Facts, url: str, target: str) -> str:
    """Return a command that fetches a file and fails for an HTTP error. A URL with a secret is in no argument list."""
    wget = facts.fetcher == "wget"
    limits = "wget -q -T 20 -O" if wget else "curl -fsSL --retry 2 --connect-timeout 20 --max-time 100 -o"
    plain = f"{limits} {target} {shlex.quote(url)}"
    if masked(url) == url:
        return plain
    if wget:  # busybox's reads no URL from elsewhere
        aside = f"printf '%s\\n' {shlex.quote(url)} | {limits} {target} -i -"
        return f"if wget --help 2>&1 | grep -q input-file; then {aside}; else {plain}; fi"
    escaped = url.replace("\\", "\\\\").replace('"', '\\"')
    return f"printf 'url = \"%s\"\\n' {shlex.quote(escaped)} | {limits} {target} -K -"


def _without_quotes(text: str) -> str:
    """Return text for double quotes of a shell, without the characters that are special there."""
    return "".join(char for char in text if char not in '"$`\\')
