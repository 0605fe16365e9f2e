"""`__main__` of machine.pyz: unpack the program once into this user's cache, and run it from there.

Python can import no compiled module out of a zip, and cryptography is one. `payload.zip` beside this module has

    common/            what is Python alone
    linux-x86_64/      compiled packages for Linux with glibc, for each Python of PYTHONS
    linux-aarch64/

It is unpacked into ~/.cache/machine/pyz/DIGEST-PLATFORM ($XDG_CACHE_HOME instead of ~/.cache), which only its owner
may read, once its SHA-256 is the one below. It is unpacked beside that place and renamed in the end: a process killed
half-way leaves nothing that the next one takes for whole, and two at once do not disturb each other.

Any Python 3 reads this module, so that one that is too old is told so.
"""

import errno
import os
import sys

DIGEST = "@DIGEST@"  # SHA-256 of payload.zip
PYTHONS = ((3, 11), (3, 12), (3, 13), (3, 14))  # that the compiled packages are there for
GLIBC = (2, 34)  # the oldest that they run with
COMPILED = ("cryptography", "bcrypt", "nacl")  # what another platform must have of its own


def start() -> int:
    """Run the program; return its exit status."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        return fail("Python 3.11 or newer is needed, and this is " + found, "python3.11 " + sys.argv[0])
    archive = os.path.dirname(os.path.abspath(__file__))
    try:
        place = unpacked(archive)
    except OSError as error:
        damaged = error.errno == errno.EIO
        advice = "download it again" if damaged else "XDG_CACHE_HOME=/a/directory/of/yours " + sys.argv[0]
        return fail("%s cannot be used: %s" % (error.filename or "the cache", error.strerror or error), advice)
    if not place:
        return 1
    sys.path[:] = [place] + [path for path in sys.path if path != archive]
    globals()["MACHINE_COMMAND"] = [sys.executable, archive]  # for machine.own_command
    try:
        from machine.cli.main import main

        status = main()
    except Exception:  # it is none that main lets pass: what it consists of is missing, cut short or something else
        if discarded(archive, place, contents=True):
            return 1
        raise
    if status == 1:
        discarded(archive, place, contents=False)
    return status


def discarded(archive: str, place: str, contents: bool) -> bool:
    """Remove the unpacked program if a file of it is missing or damaged, and tell; return whether that is so.

    The next start unpacks it anew. `contents`: read the files, which takes a while, and not only their sizes.
    """
    sys.path.insert(0, archive)
    try:
        from release.pyz_unpack import damaged, remove

        found = damaged(archive, parts(), place, contents=contents)
    except Exception:  # machine.pyz was moved or replaced meanwhile: there is nothing to compare with
        return False
    if not found:
        return False
    try:
        remove(place)
    except OSError:
        fail(found + " is missing or damaged", "rm -r " + place + ", then run this command again")
    else:
        fail(found + " was missing or damaged, and was removed with what is beside it", "run this command again")
    return True


def parts() -> "list[str]":
    """The parts of the payload that this Python on this computer needs."""
    platform = compiled_for()
    return ["common", *([platform] if platform else [])]


def unpacked(archive: str) -> str:
    """The directory with the program, unpacked now if it was not; "" if it was told why it cannot be."""
    platform = compiled_for()
    place = os.path.join(cache(), DIGEST[:32] + "-" + (platform or "any"))
    if is_private(place):
        return place
    if not platform and not has_own_compiled():
        fail(
            "machine.pyz has its compiled libraries for Linux with glibc %d.%d or newer on x86_64 and aarch64, "
            "with Python 3.11 to 3.%d" % (*GLIBC, PYTHONS[-1][1]),
            "install it with: pipx install container-hosts",
        )
        return ""
    from release.pyz_unpack import unpack

    unpack(archive, DIGEST, parts(), place)
    is_private(place)  # the cache, too, may be another user's
    return place


def cache() -> str:
    """The directory below which versions are unpacked. Raises FileNotFoundError if the user has no home."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(home):  # as the specification of base directories has it
        home = os.path.join(os.path.expanduser("~"), ".cache")
    if not os.path.isabs(
        home
    ):  # no $HOME, and no line in /etc/passwd: never the working directory, which may be anybody's
        raise FileNotFoundError(errno.ENOENT, "this user has no home directory", home)
    return os.path.join(home, "machine", "pyz")


def is_private(place: str) -> bool:
    """Whether a directory is there that nobody but its owner, who is this user, could have changed.

    Raises PermissionError if something else has its name, or another user could rename what is above it.
    """
    above = os.path.dirname(os.path.dirname(place))
    try:
        found, over = os.lstat(place), os.stat(above)
    except FileNotFoundError:
        return False
    if over.st_mode & 0o002 or over.st_uid != os.geteuid():
        raise PermissionError(1, "it belongs to another user, or others may write to it", above)
    if (found.st_mode & 0o170077) != 0o040000 or found.st_uid != os.geteuid():
        raise PermissionError(1, "it is not a directory of this user's alone; remove it", place)
    return True


def compiled_for() -> str:
    """The part of the payload with compiled packages for this Python on this computer, "" if there is none."""
    machine = os.uname().machine
    if not sys.platform.startswith("linux") or machine not in ("x86_64", "aarch64"):
        return ""
    if sys.version_info[:2] not in PYTHONS or sys.implementation.name != "cpython" or sys.maxsize < 2**32:
        return ""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
        enough = name == "glibc" and tuple(map(int, version.split(".")[:2])) >= GLIBC
    except (ValueError, OSError):
        enough = False  # musl has no such name
    return "linux-" + machine if enough else ""


def has_own_compiled() -> bool:
    """Whether this Python has the compiled packages installed."""
    import importlib.util

    return all(importlib.util.find_spec(name) for name in COMPILED)


def fail(brief: str, resolution: str) -> int:
    """Print an error as the program prints its own; return the exit status."""
    sys.stderr.write("Error: " + brief + "\nTry: " + resolution + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(start())
