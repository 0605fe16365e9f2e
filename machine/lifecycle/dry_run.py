"""`create --dry-run`: what `create` would do, in lines. Asks a platform for prices only, and touches nothing."""

from __future__ import annotations

from dataclasses import replace

from machine import engine_proxy, names, paths, printable, redaction
from machine import provision as provisioning
from machine.clusters import table as clusters
from machine.clusters.classic import services
from machine.drivers.base import Driver, Priced
from machine.engine_proxy import Proxies
from machine.errors import MASK, DriverError, masked
from machine.lifecycle import engine_proxies
from machine.lifecycle.create import CREATE
from machine.lifecycle.current_context import becomes_current
from machine.lifecycle.draft import CreateRequest, draft_machine, warn_about_clusters
from machine.provision import sample_facts
from machine.session import Session
from machine.share.spec import from_record
from machine.store import Record

_ADDRESS = services.PLACEHOLDER_ADDRESS


def describe(session: Session, name: str, request: CreateRequest, *, script: bool = False) -> list[str]:
    """Return the driver's options and the steps of `create`; with `script` also what would run on the machine."""
    record, driver = draft_machine(session, name, request)
    warn_about_clusters(session, record)
    lines = [f"machine {name}, driver {driver.traits.name}", *_options(driver, request), *_prices(driver)]
    lines += _engine_options(request)
    proxies = engine_proxies.wanted(session, driver, request.engine_proxy)
    reachable, _ = engine_proxy.seen_from_machine(proxies, driver.host_gateway())
    lines += [f"  proxy of the engine: {text}" for text in engine_proxy.without_passwords(reachable)]
    lines += [f"  shared with it: {share.words}" for share in from_record(record.shares())]
    all_hooks = clusters.hooks_of(record)
    lines += [f"  {line}" for hooks in all_hooks for line in hooks.summary_lines(record)]
    if not driver.traits.has_host:
        return [*lines, f"would be recorded in {session.store.directory(name)}"]
    details = {
        "driver": driver.traits.name,
        "record": f"{session.store.directory(name)}/{paths.CONFIG}",
        "install_url": redaction.masked_engine(request.engine, MASK).install_url,
    }
    lines.append(f"1. check, with nothing made: what the driver {driver.traits.name} needs")
    lines += [f"{number}. {step.description.format(**details)}" for number, step in enumerate(CREATE, 2)]
    lines += [line for hooks in all_hooks for line in hooks.join_lines(record)]
    if request.docker_context:
        wish = request.current_context.wish
        use = ", and docker's current one" if becomes_current(wish, session.environ) else ""
        lines.append(f"{len(CREATE) + 2}. make the docker context {name}{use}")
    return [*lines, *_script_lines(record, request, reachable)] if script else lines


def _options(driver: Driver, request: CreateRequest) -> list[str]:
    lines = []
    for option in driver.traits.options:
        value = request.values[option.name]
        if value not in ("", 0, False, []):
            lines.append(f"  --{option.name} {MASK if option.secret else value}")
    return lines


def _prices(driver: Driver) -> list[str]:
    """Return what the machine would cost, where the platform tells; a plan is a plan where it does not."""
    if not isinstance(driver, Priced):
        return []
    try:
        return [f"  price: {printable.in_line(line)}" for line in driver.prices()]
    except DriverError as error:
        return [f"  price: not known, for {error.brief}"]


def _engine_options(request: CreateRequest) -> list[str]:
    """Return the options of the engine that were given, as they will be handed to dockerd unchecked; secrets masked."""
    engine = redaction.masked_engine(request.engine, MASK)
    given = {
        "storage-driver": [engine.storage_driver] if engine.storage_driver else [],
        "opt": engine.flags,
        "label": engine.labels,
        "env": engine.env,
        "registry-mirror": engine.registry_mirrors,
        "insecure-registry": engine.insecure_registries,
    }
    return [f"  --engine-{name} {value}" for name, values in given.items() for value in values]


def _script_lines(record: Record, request: CreateRequest, proxies: Proxies) -> list[str]:
    number = 2 + [step.name for step in CREATE].index("provisioned")
    return [
        "",
        f"# step {number} as it would be on a fresh Debian that has Docker; what is found decides:",
        *script_of(record, request, proxies),
    ]


def script_of(record: Record, request: CreateRequest, proxies: Proxies) -> list[str]:
    """Return what would run on a fresh Debian with Docker installed, by line; passwords of the proxies masked.

    Nothing is made for it: certificates, the key and the program of a classic swarm, and the machine's address have
    placeholders.
    """
    pairs = engine_proxy.variables(proxies, [_ADDRESS], request.engine.env)
    engine = redaction.masked_engine(request.engine, MASK)
    spec = provisioning.Spec(
        hostname="" if record.keeps_hostname else names.hostname(record.name),
        driver_name=request.driver_name,
        engine=replace(engine, env=(*map(_without_account, pairs), *engine.env)),
        package_proxies=tuple(pairs),
        ca=b"(certificate of the CA)\n",
        server_cert=b"(certificate of the machine)\n",
        server_key=b"",
    )
    for hooks in clusters.hooks_of(record):
        spec = hooks.script_spec(record, spec)
    plan_of_host = provisioning.plan(sample_facts.debian(), spec)
    script = provisioning.render(plan_of_host, answers=sample_facts.OUTPUTS).splitlines()
    runs_swarm = spec.swarm is not None and spec.swarm.runs
    has_address = runs_swarm or bool(pairs)
    return [f"# {_ADDRESS} stands for the address that the machine will have", *script] if has_address else script


def _without_account(pair: str) -> str:
    name, _, value = pair.partition("=")
    return pair if name.upper() == engine_proxy.NO_PROXY else f"{name}={masked(value)}"
