"""openstacksdk's connection, made to measure. Importing this costs 0.3 s: client.py does when it asks.

Over the SDK's own: what was throttled or failed is repeated by the SDK itself, the login included; what would be done
twice (a POST) is repeated only when the cloud did not take it on.
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
    """The cloud asks to wait longer than anybody would."""


class NotKeystone(Exception):
    """The URL of Keystone is none; the text says why."""


class RetryingSession(session.Session):
    """A session that repeats calls; `tries` is how often."""

    tries = 0

    def request(self, url: str, method: str, **named: Any) -> Any:  # type: ignore[override,unused-ignore]
        """Make a request as keystoneauth does, and repeat one that failed unless it could be done twice."""
        twice_is_once = method != "POST" or url.endswith("/auth/tokens")
        named["connect_retries"] = self.tries if twice_is_once else 0
        named["status_code_retries"] = self.tries
        named["retriable_status_codes"] = RETRY_STATUSES if twice_is_once else POST_RETRY_STATUSES
        return super().request(url, method, **named)


def connect(wanted: Config) -> Any:
    """A connection as the config has it. NotKeystone when there is no Identity v3; the SDK's errors as they come."""
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
        found.session.hooks["response"].append(_not_too_long)
        return found

    return make


def _not_too_long(answer: Any, **_: Any) -> None:
    """The SDK waits as long as Retry-After says, whatever it says."""
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
