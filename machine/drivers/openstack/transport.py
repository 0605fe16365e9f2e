"""openstacksdk's connection with our retries and login. Importing this costs 0.3 s: client.py does at its first call.

A call that was throttled or failed is repeated, the login included; a POST, which could make a second thing, only when
the cloud says that it did not carry it out.
https://docs.openstack.org/openstacksdk/latest/user/config/index.html
"""

from __future__ import annotations

import logging
import os
from typing import Any

from keystoneauth1 import session
from openstack import connection
from openstack.config import OpenStackConfig, loader

from machine.drivers.openstack import login
from machine.drivers.openstack.config import CONFIG_KINDS, Config

POST_RETRY_STATUSES = [429, 503]  # of a POST: throttled, or no server behind the proxy
RETRY_STATUSES = [*POST_RETRY_STATUSES, 500, 502, 504]
LONGEST_PAUSE = 60.0  # seconds that a cloud may ask to wait for; beyond that it is an error
QUIET_LOGGERS = ("keystoneauth", "openstack", "urllib3", "stevedore")  # who would write warnings to the terminal


class RetryAfterTooLong(Exception):
    """The cloud asks to wait longer than LONGEST_PAUSE."""


class NotKeystone(Exception):
    """What answers at the URL is not Keystone with Identity v3; the text says what it is."""


class RetryingSession(session.Session):
    """A session that repeats calls; `tries` is how often."""

    tries = 0

    def request(self, url: str, method: str, **named: Any) -> Any:  # type: ignore[override,unused-ignore]
        """Make a request as keystoneauth does, and repeat one that failed.

        A POST could make a second thing: it is repeated only for a status that says that it was not carried out.
        """
        is_idempotent = method != "POST" or url.endswith("/auth/tokens")
        named["connect_retries"] = self.tries if is_idempotent else 0
        named["status_code_retries"] = self.tries
        named["retriable_status_codes"] = RETRY_STATUSES if is_idempotent else POST_RETRY_STATUSES
        return super().request(url, method, **named)


def connect(wanted: Config) -> Any:
    """A connection as the config has it.

    Raises NotKeystone if there is no Identity v3; the SDK's errors as they come.
    """
    for name in QUIET_LOGGERS:
        logging.getLogger(name).addHandler(logging.NullHandler())
    make = _sessions(wanted.retries)
    file = wanted.client_config_file
    beside = [os.path.join(os.path.dirname(file), f"secure.{kind}") for kind in CONFIG_KINDS]
    config = OpenStackConfig(
        config_files=[file] if file else None,
        secure_files=[*beside, *loader.SECURE_FILES] if file else None,
        load_yaml_config=bool(wanted.cloud),
        load_envvars=False,
        session_constructor=make,
        app_name="machine",
    )
    cloud, more = wanted.cloud or None, login.arguments(wanted)
    region = config.get_one(cloud=cloud, **more)
    given = str(region.config.get("auth", {}).get("auth_url") or "")
    if (url := _v3(region, make, given)) != given:
        region = config.get_one(cloud=cloud, **{**more, "auth": {**more.get("auth", {}), "auth_url": url}})
    return connection.Connection(config=region)


def _sessions(tries: int) -> Any:
    def make(*args: Any, **named: Any) -> Any:
        found = RetryingSession(*args, **named)
        found.tries = tries
        found.session.hooks["response"].append(_refuse_long_pause)
        return found

    return make


def _refuse_long_pause(answer: Any, **_: Any) -> None:
    """Raise RetryAfterTooLong for a long Retry-After: the SDK would wait that long, whatever it is."""
    wanted = str(answer.headers.get("Retry-After") or "")
    if answer.status_code in RETRY_STATUSES and wanted.isdigit() and int(wanted) > LONGEST_PAUSE:
        raise RetryAfterTooLong(f"{answer.status_code}: the cloud asks to come again after {wanted} s")


def _v3(region: Any, make: Any, url: str) -> str:
    """The v3 URL of a Keystone that is named by another one; asks only then."""
    root, version = login.without_version(url)
    if version == "v3" or not url:
        return url
    verify, cert = region.get_requests_verify_args()
    plain = make(verify=verify, cert=cert, timeout=region.config.get("api_timeout"))
    answer = plain.get(root + "/", authenticated=False, headers={"Accept": "application/json"})
    try:
        document = answer.json()
    except ValueError:
        raise NotKeystone(f"{root}/ does not answer as Keystone does") from None
    if not login.offers_v3(document):
        raise NotKeystone(f"{root}/ offers no Identity v3" + (", only v2.0" if version else ""))
    return f"{root}/v3"
