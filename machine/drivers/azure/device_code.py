"""A person who logs in by device code: asked once, then known to every machine of the store.

What is remembered (an AuthenticationRecord: names and ids of the account, no secret) lies in the store's cache and in
each machine's record. The tokens lie in the SDK's own cache, as ~/.IdentityService or in the keyring.
https://learn.microsoft.com/python/api/azure-identity/azure.identity.authenticationrecord
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from machine import files, paths
from machine.drivers.azure.config import Config
from machine.drivers.base import DriverContext

TOKEN_CACHE_NAME = "machine"  # noqa: S105 (the name under which the SDK keeps the tokens)
CACHE = "azure-users.json"  # in the store's cache: whose login (_key) -> AuthenticationRecord
LOCK = "login-azure"  # not azure-...: those are locks of resource groups


class DeviceCodeCredential:
    """A TokenCredential: what the SDK's cache has, or else what a person gets for a code. Arguments are the SDK's.

    One at a time in the store: of several machines that are created at once, the first asks and the others find that
    done; and the SDK reads its cache without a lock, so that somebody's half written one would look like none.
    """

    def __init__(self, identity: Any, config: Config, where: Mapping[str, Any], ctx: DriverContext) -> None:
        self._identity = identity
        self._config = config
        self._where = where
        self._ctx = ctx
        self._found: Any = None

    def get_token(self, *scopes: str, **how: Any) -> Any:
        """An AccessToken. Who logged in is noted in `config`, and in the store for machines to come."""
        with self._ctx.lock(LOCK):
            for found in self._cached_credentials():
                try:
                    token = found.get_token(*scopes, **how)
                except self._identity.AuthenticationRequiredError:
                    continue
                self._found = found
                return token
            self._found = self._credential(None)
            self._note(self._found.authenticate(scopes=scopes, **how))
            return self._found.get_token(*scopes, **how)

    def _cached_credentials(self) -> Iterator[Any]:
        """Credentials that may go without a question, the likeliest first."""
        if self._found is not None:
            yield self._found
        for text in _records(self._config, self._ctx):
            try:
                known = self._identity.AuthenticationRecord.deserialize(text)
            except (ValueError, LookupError, TypeError):  # of a later SDK, or spoilt
                continue
            self._config.authentication_record = known.serialize()
            yield self._credential(known)

    def _credential(self, known: Any) -> Any:
        def prompt(address: str, code: str, _: object) -> None:
            self._ctx.log(f"to log in, open {address} in a browser and enter the code {code}")

        options: dict[str, Any] = dict(self._where)
        if known is not None:
            options.pop("authority", None)  # the record has it
            options["authentication_record"] = known
        cache = self._identity.TokenCachePersistenceOptions(name=TOKEN_CACHE_NAME, allow_unencrypted_storage=True)
        return self._identity.DeviceCodeCredential(
            prompt_callback=prompt, cache_persistence_options=cache, disable_automatic_authentication=True, **options
        )

    def _note(self, record: Any) -> None:
        self._config.authentication_record = record.serialize()
        known = {**_cached(self._ctx), _key(self._config): self._config.authentication_record}
        files.write(paths.cache(self._ctx.store, CACHE), json.dumps(known, indent=1).encode())


def _records(config: Config, ctx: DriverContext) -> list[str]:
    """Records of who logged in for this tenant, application and authority, each once: own, the store's, siblings'."""
    wanted = _key(config)
    texts = [config.authentication_record, str(_cached(ctx).get(wanted) or "")]
    siblings = [Config.from_record(other) for other in ctx.siblings()]
    texts += [other.authentication_record for other in siblings if _key(other) == wanted]
    return [text for text in dict.fromkeys(texts) if text]


def _key(config: Config) -> str:
    """Whose login it is: where, of which directory, by which application."""
    parts = (config.environment, config.authority_host, config.tenant_id, config.client_id)
    return " ".join((part or "-").rstrip("/").lower() for part in parts)


def _cached(ctx: DriverContext) -> dict[str, Any]:
    try:
        found = json.loads(files.read(paths.cache(ctx.store, CACHE)) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
