"""Values of flags that mean the same for all clouds: ports, networks, paths. Only `absolute` asks the system."""

from __future__ import annotations

import ipaddress
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from machine import hostport
from machine.drivers.cloud import ports
from machine.drivers.cloud.ssh_key import fingerprint
from machine.drivers.missing_options import MissingOption
from machine.errors import UsageError
from machine.options import Values

PRICE = (r"\d*\.?\d+", "dollars an hour, such as 0.05")  # a pattern for config.text_field


@dataclass(frozen=True, slots=True)
class DriverFlags:
    """The flags `--DRIVER-...` of one driver."""

    driver_name: str

    def wrong(self, flag: str, value: object, wanted: str) -> UsageError:
        """The error for a value that a flag (without `--DRIVER-`) cannot have; `wanted` completes "give ..."."""
        return UsageError(f"--{self.driver_name}-{flag} cannot be {value!r}", resolution=f"give {wanted}")

    def check_range(self, flag: str, value: int, span: tuple[int, int]) -> None:
        """Check the number of a flag (without `--DRIVER-`).

        Raises UsageError if it is less than the first of `span` or more than the second.
        """
        least, most = span
        if not least <= value <= most:
            raise self.wrong(flag, value, f"a number from {least} to {most}")

    def one_of(self, flag: str, word: str, words: Sequence[str]) -> str:
        """`word` as it is, if it is among `words`. Raises UsageError if it is not."""
        if word not in words:
            raise self.wrong(flag, word, "one of " + ", ".join(words))
        return word

    def ip(self, flag: str, text: str) -> str:
        """An IP address as it is. Raises UsageError if it is none."""
        try:
            ipaddress.ip_address(text)
        except ValueError:
            raise self.wrong(flag, text, "an address of the subnet") from None
        return text

    def check_exclusive(self, values: Values, flag: str, other: str) -> None:
        """Raises UsageError if both of two flags are given."""
        if values[f"{self.driver_name}-{flag}"] and values[f"{self.driver_name}-{other}"]:
            raise UsageError(
                f"--{self.driver_name}-{flag} and --{self.driver_name}-{other} exclude each other",
                resolution="give one of the two",
            )

    def same(self, values: Values, flag: str, other: str) -> str:
        """The text of two flags that mean the same, of which one may be left out. Raises UsageError if they differ."""
        first, second = str(values[f"{self.driver_name}-{flag}"]), str(values[f"{self.driver_name}-{other}"])
        if first and second and first != second:
            raise UsageError(
                f"--{self.driver_name}-{flag} and --{self.driver_name}-{other} differ",
                resolution="they mean the same: give one (their variables count too)",
            )
        return first or second

    def port(self, text: str) -> str:
        """`text` as it is, if ports.parse can read it. Raises UsageError if not."""
        try:
            ports.parse(text)
        except ValueError:
            raise self.wrong("open-port", text, "PORT, PORT/udp or FIRST-LAST") from None
        return text

    def network(self, text: str, flag: str = "allow-from") -> str:
        """A CIDR in its canonical spelling. Raises UsageError if it is none."""
        try:
            return ports.network(text)
        except ValueError:
            raise self.wrong(flag, text, "a network such as 203.0.113.0/24") from None

    def public_key(self, text: str, flag: str = "additional-key") -> str:
        """A line of authorized_keys as it is. Raises UsageError if it is none."""
        try:
            fingerprint(text)
        except ValueError:
            raise self.wrong(flag, text[:60], "a public key, as it stands in a line of authorized_keys") from None
        return text

    def pairs(self, flag: str, text: str) -> dict[str, str]:
        """`key,value,key,value` of a flag as a mapping. UsageError names an empty key, or the word that lacks a value.

        A value may be empty, and is so where the words come out even.
        """
        words = [word.strip() for word in text.split(",")] if text.strip() else []
        empty = next((at for at, word in enumerate(words) if not word and (at % 2 == 0 or len(words) % 2)), None)
        if empty is not None:
            before = f", after {words[empty - 1]!r}" if empty else ""
            raise UsageError(
                f"--{self.driver_name}-{flag} has nothing between two commas or at an end: word {empty + 1}{before}",
                resolution="write key,value,key,value, without a comma too many",
            )
        if len(words) % 2:
            raise UsageError(
                f"--{self.driver_name}-{flag} has a key without a value: {words[-1]!r}",
                resolution="write key,value,key,value",
            )
        return dict(zip(words[::2], words[1::2], strict=True))

    def missing_token(self, flag: str, variable: str, maker: str) -> MissingOption:
        """What to say when there is no API token; `maker` is the URL of the page that makes one."""
        return MissingOption(
            f"the driver {self.driver_name} needs an API token",
            f"set ${variable}, or add --{self.driver_name}-{flag}; {maker} makes one",
            credential=True,
        )

    def check_firewalls(self, flag: str, names: Sequence[str], nothing: str, *, own_rules: bool) -> None:
        """Check a flag that names firewalls to join; `nothing` is the word for none at all.

        Raises UsageError for that word beside names, and for `own_rules` of a firewall that is not made then.
        """
        name = self.driver_name
        if names and own_rules:
            raise UsageError(
                f"--{name}-open-port and --{name}-allow-from are for a firewall of the machine's own",
                resolution=f"leave --{name}-{flag} out, or change the rules of that firewall instead",
            )
        if nothing in names and len(names) > 1:
            raise self.wrong(flag, ", ".join(names), f"names, or {nothing!r} alone")

    def missing_private_key(self, key_pair: str, key_path: str) -> MissingOption:
        """What to say when the flag of a key pair that the cloud has is given, and that of its private key is not."""
        return MissingOption(
            f"--{self.driver_name}-{key_pair} needs the private key that belongs to it",
            f"add --{self.driver_name}-{key_path} PATH, or leave the name out to have a key pair made",
        )

    def tags(self, text: str, own: Sequence[str], *, flag: str = "tags", refused: str = "") -> dict[str, str]:
        """`key,value,key,value` of a flag as a mapping.

        Raises UsageError on keys that the program sets itself (`own`), and on those that fit the regular expression
        `refused`.
        """
        found = self.pairs(flag, text)
        for key in found:
            if key in own or (refused and re.search(refused, key)):
                raise UsageError(
                    f"--{self.driver_name}-{flag} cannot set {key!r}",
                    resolution=f"choose another key; {' and '.join(own)} {'are' if len(own) > 1 else 'is'} set",
                )
        return found

    def labels(
        self, flag: str, given: Sequence[str], pattern: tuple[str, str], own: Sequence[str] = ()
    ) -> dict[str, str]:
        """The texts `key=value` of a flag that is a list, as a mapping.

        `pattern` is a regular expression for one of the texts, and words for what fits it. Raises UsageError on a text
        that does not fit, and on a key that the program sets itself (`own`).
        """
        expression, expected = pattern
        for text in given:
            if not re.fullmatch(expression, text) or text.partition("=")[0] in own:
                raise self.wrong(flag, text, expected)
        return {key: value for key, _, value in (text.partition("=") for text in given)}

    def address(self, flag: str, text: str, user_flag: str, port_flag: str) -> str:
        """A bare IP address or host name; brackets around an IPv6 address are taken off.

        Raises UsageError for USER@HOST, HOST:PORT and URLs, with the flags that the parts belong to (without
        `--DRIVER-`).
        """
        scheme, has_scheme, rest = text.partition("://")
        rest = rest if has_scheme else scheme
        rest, _, path = rest.partition("/")
        user, has_user, place = rest.rpartition("@")
        host, port = _host_and_port(place)
        if host is None or not host or re.search(r"[\s/@]", host):
            raise self.wrong(flag, text, "an IP address or a host name")
        if not (has_scheme or path or has_user or port):
            return host
        login, _, password = user.partition(":")
        shown = text.replace(f":{password}@", ":*****@") if password else text
        given = [(flag, host), (user_flag, login), (port_flag, port)]
        words = " ".join(f"--{self.driver_name}-{name} {shlex.quote(value)}" for name, value in given if value)
        raise UsageError(
            f"--{self.driver_name}-{flag} takes an address alone, not {shown!r}", resolution=f"write: {words}"
        )


def _host_and_port(text: str) -> tuple[str | None, str]:
    """Return the host (no brackets) and the port ("" for none) of HOST, HOST:PORT, [IPV6]...; (None, "") for others."""
    host, port = hostport.split(text)
    plain = not text.startswith("[") and ":" not in host
    bad_port = bool(port) and not port.isdigit()
    lost_port = not port and text.endswith(":") and text != host  # a colon and nothing behind it
    return (None, "") if bad_port or lost_port or not (plain or _is_ipv6(host)) else (host, port)


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def absolute(path: str) -> str:
    """A path that means the same from everywhere, ~ included; "" stays empty."""
    return os.path.abspath(os.path.expanduser(path)) if path else ""
