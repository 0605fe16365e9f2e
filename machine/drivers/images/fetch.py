"""Downloading an image: resumable, checked, and on disk under its name only when it is whole."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from typing import Any, cast

from machine import files
from machine.drivers.images import disks
from machine.drivers.images.image_spec import GENERIC, suite_of
from machine.errors import DriverError, masked, reason_of

TIMEOUT = 10.0  # seconds without a byte
SLOWEST, EVERY = 16 << 10, 60.0  # bytes that must come in so many seconds; the slowest modem brings ten times that
CHUNK = 1 << 20
LONGEST_TEXT = 4 * CHUNK
DIGITS = {"sha256": 64, "sha512": 128}  # of the checksums that a URL may carry, in hex
SITE = "https://cloud.debian.org/images/cloud"  # Debian's official cloud images


class Unreachable(DriverError):
    """The site cannot be reached, or has no such file; another way to an image may be open."""

    fixed_input = "the URL"


def official(name: str, arch: str, site: str = SITE) -> tuple[str, str]:
    """(URL of the image, URL of its list of SHA-512 sums) for a name such as debian-13."""
    number = name.removesuffix(GENERIC).removeprefix("debian-")
    kind = "generic" if name.endswith(GENERIC) else "genericcloud"  # without drivers of real or VirtualBox's hardware
    directory = f"{site}/{suite_of(name)}/latest"
    return f"{directory}/debian-{number}-{kind}-{arch}.qcow2", f"{directory}/SHA512SUMS"


def published_sum(listing: str, file_name: str) -> str:
    """The checksum of `file_name` in the text of a SHA512SUMS file. Raises Unreachable if it is not listed."""
    for line in listing.splitlines():
        digest, _, name = line.strip().partition(" ")
        if name.strip().lstrip("*") == file_name:
            return digest.lower()
    raise Unreachable(f"the list of checksums does not name {file_name}")


def split(word: str) -> tuple[str, str]:
    """(URL, checksum) of a URL that may carry one, https://host/image.qcow2#sha256:HEX; "" for none.

    Raises DriverError for anything else behind the #: what was meant to be checked is never taken unchecked.
    """
    url, mark, fragment = word.partition("#")
    kind, _, wanted = fragment.lower().partition(":")
    if mark and not (len(wanted) == DIGITS.get(kind) and re.fullmatch("[0-9a-f]+", wanted)):
        raise DriverError(
            f"what stands behind the # of {masked(url)} is no checksum: {fragment!r}",
            resolution="write #sha256: and 64 hexadecimal digits, or #sha512: and 128, or leave it out",
        )
    return url, f"{kind}:{wanted}" if mark else ""


def text(url: str, *, driver_name: str = "qemu") -> str:
    """A small text file."""
    found = bytearray()
    try:
        with _open(url, 0, driver_name) as answer:
            for piece in _pieces(answer):
                found += piece
                if len(found) > LONGEST_TEXT:
                    break
            return found[:LONGEST_TEXT].decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        raise _unreachable(url, error) from error


def exists(url: str) -> bool:
    """Whether something can be had there now; False for what is neither http nor a file."""
    if not url.startswith(("http://", "https://", "file://")):
        return False
    try:
        with _opener().open(urllib.request.Request(url, method="HEAD"), timeout=TIMEOUT):  # noqa: S310
            return True
    except (OSError, HTTPException, ValueError):
        return False


def download(url: str, target: str, checksum: str, log: Callable[[str], None], *, driver_name: str = "qemu") -> None:
    """Bring `url` to the file `target`, whole. `checksum` is "sha512:HEX", "sha256:HEX" or "" for none known.

    What an earlier try left in `target`.part is continued, if there is a checksum. Raises Unreachable if the site does
    not answer. Raises DriverError, with the part removed, if the checksum is wrong or the disk is full. `driver_name`:
    whose flags it names.
    """
    part = f"{target}.part"
    # without a checksum nothing would tell that the site has another file now, and that two are put together
    if not checksum or not _ours(part):
        disks.remove(part)
    try:
        _transfer(url, part, log, driver_name)
    except HTTPException as error:
        raise _unreachable(url, error) from error
    except urllib.error.URLError as error:
        raise _unreachable(url, error) from error
    except (TimeoutError, ConnectionError) as error:
        raise _unreachable(url, error) from error
    except OSError as error:
        files.remove_quietly(part)
        raise DriverError(
            f"cannot write {part}: {error.strerror}", resolution="make room on that disk, then run the command again"
        ) from error
    except DriverError:
        files.remove_quietly(part)
        raise
    if checksum:
        kind, _, published = checksum.partition(":")
        downloaded = digest(part, kind)
        if downloaded != published.lower():
            os.unlink(part)
            raise DriverError(
                f"the checksum of {masked(url)} is wrong; what was downloaded is removed",
                details=f"{kind} published: {published}\n{kind} downloaded: {downloaded}",
                resolution="run the command again; if it fails again, a proxy or mirror on the way changes the file: "
                f"give another image with --{driver_name}-image URL or PATH, or `machine image build`",
            )
    os.replace(part, target)


def _ours(path: str) -> bool:
    """Whether a file that an earlier try has left can be gone on with: not one that leads somewhere else."""
    try:
        seen = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISREG(seen.st_mode) and seen.st_nlink == 1 and files.only_ours(path)


def digest(path: str, kind: str) -> str:
    """The checksum of a file, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _transfer(url: str, part: str, log: Callable[[str], None], driver_name: str) -> None:
    """Append to `part` what it lacks of `url`."""
    have = os.path.getsize(part) if os.path.exists(part) else 0
    try:
        answer = _open(url, have, driver_name)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not have:  # 416: nothing is left to send, the part is whole
            raise
        return
    with answer:
        resumed = answer.status == 206
        size = _length(answer) + (have if resumed else 0)
        log(f"downloading {masked(url)}" + (f", {size >> 20} MB" if size else "") + (", going on" if resumed else ""))
        if not resumed or not have:
            os.close(disks.private(part))
        room = disks.Room(part)
        with open(part, "ab") as file:
            for chunk in _pieces(answer):
                room.spend(len(chunk))
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        if size and os.path.getsize(part) < size:
            raise ConnectionResetError(f"the connection ended after {os.path.getsize(part)} of {size} bytes")


def _length(answer: HTTPResponse) -> int:
    """Bytes that the answer says it has, 0 when it does not say."""
    said = str(answer.headers.get("Content-Length") or "").strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0


def _pieces(answer: HTTPResponse) -> Iterator[bytes]:
    """The body as it comes. Raises TimeoutError if it comes too slowly to end, ConnectionError if it breaks."""
    since, come = time.monotonic(), 0
    while piece := _piece(answer):
        yield piece
        come += len(piece)
        if time.monotonic() - since > EVERY:
            if come < SLOWEST:
                raise TimeoutError(f"only {come} bytes came in {EVERY:g} s")
            since, come = time.monotonic(), 0


def _piece(answer: HTTPResponse) -> bytes:
    try:
        return answer.read1(CHUNK)
    except (TimeoutError, ConnectionError):
        raise
    except OSError as error:  # no route, TLS that breaks: not of the disk that it is written to
        raise ConnectionError(error.strerror or str(error)) from error


class RedirectHandler(urllib.request.HTTPRedirectHandler):
    """From http to https at most: what was asked for with a certificate is not taken without one, nor by FTP."""

    def redirect_request(self, req: urllib.request.Request, *answer: Any) -> urllib.request.Request | None:
        new = super().redirect_request(req, *answer)
        before = urllib.parse.urlsplit(req.full_url).scheme  # req.type may be the proxy's
        if new is not None and new.type not in {"https", before}:
            raise urllib.error.URLError(f"it is redirected from {before} to {new.type}, which is not followed")
        return new


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(RedirectHandler)


def _open(url: str, start: int, driver_name: str) -> HTTPResponse:
    if not url.startswith(("http://", "https://", "file://")):
        raise DriverError(
            f"{masked(url)} is no http, https or file URL", resolution=f"give another --{driver_name}-image"
        )
    request = urllib.request.Request(url)  # noqa: S310 (the scheme is checked above)
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return cast(HTTPResponse, _opener().open(request, timeout=TIMEOUT))
    except ValueError as error:  # the URL, or one that it is redirected to, makes no sense
        raise _unreachable(url, error) from error


def _unreachable(url: str, error: Exception) -> Unreachable:
    reason = getattr(error, "reason", "") or error
    return Unreachable(
        f"{masked(url)} cannot be downloaded",
        details=reason_of(reason) if isinstance(reason, Exception) else str(reason),
        resolution="check the URL and this host's way to the network",
    )
