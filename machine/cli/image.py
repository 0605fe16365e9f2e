"""`machine image ls|build|pull|rm`."""

from __future__ import annotations

import os

from machine.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from machine.cli.app import App
    from machine.cli.parser import Namespace, Parser
    from machine.drivers.images.cache import Cache
    from machine.drivers.images.templates import Templates

HELP = """List, build, fetch and remove the base images of qemu and virtualbox. `create` gets what it needs by itself.

  ls       list the images of the store
  build    build images by name (debian-13, debian-12) from Debian's packages; machines that exist keep their old one
  pull     download images again, by name or URL
  rm       remove images that no machine stands on; without a name, only disks that nothing needs any more

Templates of qemu machines, from which later ones start in seconds, are listed and removed as images are."""
VERBS = ("ls", "build", "pull", "rm")


def add_arguments(parser: Parser) -> None:
    """What to do, and any number of images."""
    parser.add_argument("verb", choices=VERBS, metavar="ls|build|pull|rm", help="What to do")
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="Names such as debian-13, or URLs for pull")
    parser.add_argument(
        "--qemu-image-mirror",
        default=None,
        metavar="URL",
        help="Debian mirror to build from; empty: as this host's apt",
    )


def run(args: Namespace, app: App) -> int:
    """List, build, fetch or remove images; their names are on stdout. Raises DriverError if one cannot be had."""
    from machine.drivers.qemu import accel

    if args.verb == "ls" and args.images:
        raise UsageError(
            f"image ls takes no arguments, and got {' '.join(args.images)}", resolution="machine image ls shows all"
        )
    cache, arch = _cache(app), accel.detect().arch
    if args.verb == "ls":
        return _list(app, cache)
    if args.verb == "rm":
        return _remove(app, cache, arch, args.images)
    if not args.images:
        raise UsageError(f"which image shall I {args.verb}?", resolution=f"machine image {args.verb} debian-13")
    mirror = args.qemu_image_mirror or app.environ.get("QEMU_IMAGE_MIRROR")
    action: Callable[[str], object] = lambda image: cache.pull(image, arch)  # noqa: E731
    if args.verb == "build":
        action = lambda image: cache.build(image, arch, (mirror or "").rstrip("/"))  # noqa: E731
    for image in args.images:
        action(image)
        app.print_text(image)
    return 0


def _cache(app: App) -> Cache:
    from machine import process
    from machine.drivers.images.cache import Cache

    return Cache(
        app.store.root,
        run=process.run,
        log=app.console.info,
    )


def _list(app: App, cache: Cache) -> int:
    from machine.drivers.record_keys import BASE

    rows = [("NAME", "ARCH", "SIZE", "MADE", "USED BY", "ORIGIN")]
    machines = _users(app, BASE)
    for image in cache.all():
        users = [name for name, disk in machines if disk == image.disk]
        size = f"{cache.size(image) >> 20} MB"
        rows.append((image.name, image.arch, size, image.made, " ".join(users) or "-", image.origin))
    templates = _templates(app, cache)
    for template in templates.all():
        users_of = " ".join(os.path.basename(place) for place in templates.users(template)) or "-"
        size = f"{templates.size(template) >> 20} MB"
        rows.append((template.name, "-", size, template.made, users_of, f"a virtual machine of {template.image}"))
    from machine.cli.text_table import print_table

    print_table(app, rows)
    return 0


def _remove(app: App, cache: Cache, arch: str, names: list[str]) -> int:
    from machine import process
    from machine.drivers.images.templates import PREFIX
    from machine.drivers.qemu.template import remove_all_unfinished
    from machine.drivers.record_keys import BASE
    from machine.wait import SystemClock

    used = [disk for _, disk in _users(app, BASE)]
    templates = _templates(app, cache)
    for name in names:
        if name.startswith(PREFIX):
            templates.remove(name)
        else:
            cache.remove(name, arch, used)
        app.print_text(name)
    for file in cache.sweep(used):
        app.console.info(f"removed {file}, which nothing needed any more")
    remove_all_unfinished(templates, process.run, SystemClock())
    for image in templates.sweep():
        app.console.info(f"removed a template of {image}, which nothing needed any more")
    return 0


def _templates(app: App, cache: Cache) -> Templates:
    from machine.drivers.images.templates import Templates
    from machine.drivers.record_keys import TEMPLATE_DISK

    return Templates(cache.directory, app.console.info, lambda: {disk for _, disk in _users(app, TEMPLATE_DISK)})


def _users(app: App, key: str) -> list[tuple[str, str]]:
    """(machine, disk under its own) of every machine whose record can be read and names one under `key`."""
    from machine.errors import MachineError

    users = []
    for name in app.store.names():
        try:
            base = app.store.load(name).driver_object.get(key)
        except MachineError:
            continue
        disk = base.get("disk") if isinstance(base, dict) else base
        if disk:
            users.append((name, str(disk)))
    return users
