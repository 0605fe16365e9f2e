"""Azure's SDK: its packages, its clients with a login of ours, and its errors, which become ours.

Importing the SDK and building its clients costs a second or two, so it is done at the first call to each. Throttled
and failed calls are repeated by the SDK itself, with growing pauses, as often as the record says.
"""

from __future__ import annotations

import gc
import logging
from importlib import import_module
from typing import Any

from machine.drivers.azure import login
from machine.drivers.azure.config import Config
from machine.drivers.azure.errors import ERRORS, translate
from machine.drivers.base import DriverContext
from machine.drivers.cloud import errors

CONNECT_SECONDS = 10
PACKAGES = "azure-identity azure-mgmt-compute azure-mgmt-network azure-mgmt-resource"
CLIENTS = {  # name -> module, class
    "compute": ("azure.mgmt.compute", "ComputeManagementClient"),
    "network": ("azure.mgmt.network", "NetworkManagementClient"),
    "resources": ("azure.mgmt.resource.resources", "ResourceManagementClient"),
}
for _chatty in ("azure", "msal"):  # what they warn of comes as an error too, and stderr is ours
    logging.getLogger(_chatty).addHandler(logging.NullHandler())
WRAPPING_CODES = ("", "DeploymentFailed", "BadRequest", "ResourceOperationFailure")  # the code inside says more


class Sdk:
    """The SDK's clients for one subscription; `config` is read at the first call to each client."""

    def __init__(self, config: Config, ctx: DriverContext) -> None:
        self.config = config
        self.ctx = ctx
        self._credential: Any = None
        self._clients: dict[str, Any] = {}

    def client(self, name: str) -> Any:
        """Return the client of that name in CLIENTS."""
        if name not in self._clients:
            module, cls = CLIENTS[name]
            build = getattr(load(module), cls)
            with errors.sdk_errors(convert, "log in"):
                self._clients[name] = build(
                    self._account(),
                    self.config.subscription_id,
                    base_url=self.config.arm_url,
                    credential_scopes=[self.config.token_scope],
                    **self.transport(),
                )
        return self._clients[name]

    def fetch(self, address: str) -> str:
        """Return the text at a URL that needs no token, "" if there is none."""
        with errors.sdk_errors(convert, "fetch the console"):
            answer = self._plain(address)
            return str(answer.text()) if answer.status_code == 200 else ""

    def operation_error(self, name: str, address: str) -> dict[str, Any]:
        """Return code and message of a long-running operation that failed; {} when Azure does not tell."""
        rest = load("azure.core.rest")
        with errors.sdk_errors(convert, "ask what failed"):
            answer = self.client(name).send_request(rest.HttpRequest("GET", address)).json()
        return dict(answer.get("error") or {}) if isinstance(answer, dict) else {}

    def transport(self) -> dict[str, Any]:
        """Return the arguments of the SDK's HTTP pipeline: deadlines, repetitions, CA certificates."""
        repeated = ("retry_total", "retry_connect", "retry_read", "retry_status")
        options: dict[str, Any] = {
            **dict.fromkeys(repeated, self.config.retries),
            "retry_backoff_factor": 0.8,
            "connection_timeout": min(CONNECT_SECONDS, self.config.api_timeout),
            "read_timeout": self.config.api_timeout,
            "user_agent": "machine",
        }
        if self.config.ca_cert:
            options["connection_verify"] = self.config.ca_cert
        return options

    def _account(self) -> Any:
        if self._credential is None:
            load("azure.identity")
            if login.needs_tenant(self.config):
                self.config.tenant_id = self._tenant()
            self._credential = login.credential(self.config, self.transport(), self.ctx)
        return self._credential

    def _tenant(self) -> str:
        """The subscription's directory: ARM names it to whoever asks without a token."""
        address = f"{self.config.arm_url}/subscriptions/{self.config.subscription_id}?api-version=2022-12-01"
        answer = self._plain(address)
        found = str(answer.headers.get("WWW-Authenticate") or "")
        _, _, rest = found.partition("authorization_uri=")
        tenant = rest.strip('"').partition('"')[0].rstrip("/").rpartition("/")[2]
        if not tenant:
            text = f"Azure names no directory for it (HTTP status {answer.status_code})"
            raise translate("SubscriptionNotFound", text, answer.status_code, "the subscription")
        return tenant

    def _plain(self, address: str) -> Any:
        """The answer to a GET without a token."""
        core = load("azure.core")
        policies, rest = load("azure.core.pipeline.policies"), load("azure.core.rest")
        options = self.transport()
        with (
            errors.sdk_errors(convert, "ask"),
            core.PipelineClient(address, policies=[policies.RetryPolicy(**options)], **options) as client,
        ):
            answer = client.send_request(rest.HttpRequest("GET", address))
            answer.read()
            return answer


def load(name: str) -> Any:
    """Import a module of the SDK. Raises PreflightFailed if it is not installed."""
    collecting = gc.isenabled()
    gc.disable()  # thousands of classes, none of them garbage: a fifth of the time would go into looking at them
    try:
        with errors.sdk_needed("azure", PACKAGES, ERRORS):
            return import_module(name)
    finally:
        if collecting:
            gc.enable()


def convert(error: Exception, doing: str) -> errors.CloudError | None:
    """The error of ours for one of the SDK's, None for what is none of the SDK's; `doing` names the call."""
    sdk = load("azure.core.exceptions")
    if isinstance(error, sdk.ClientAuthenticationError) and getattr(error, "response", None) is None:
        return _no_login(error)
    if isinstance(error, sdk.HttpResponseError):
        return _refused(error, doing)
    nonsense = (ValueError, LookupError, TypeError, AttributeError)  # how the SDK takes an answer that is none of ARM's
    if isinstance(error, sdk.ServiceRequestTimeoutError | sdk.ServiceResponseTimeoutError):
        return ERRORS.error(errors.ApiTimeout, f"Azure did not answer in time: {doing}", str(error))
    if isinstance(error, sdk.ServiceRequestError | sdk.ServiceResponseError):
        return ERRORS.error(errors.Unreachable, "Azure cannot be reached", str(error))
    if isinstance(error, sdk.AzureError):
        return ERRORS.error(errors.ServiceBroken, f"Azure failed to {doing}", str(error))
    return _broken_answer(doing, str(error)) if isinstance(error, nonsense) else None


def _refused(error: Any, doing: str) -> errors.CloudError:
    """The innermost code that says something: ARM wraps errors of those who do the work."""
    inner, status = error.error, int(error.status_code or 0)
    code, text = str(getattr(inner, "code", "") or ""), str(getattr(inner, "message", "") or "")
    for detail in getattr(inner, "details", None) or []:
        if code in WRAPPING_CODES and detail.code:
            code, text = str(detail.code), str(detail.message or text)
    if not code and status in (200, 201, 202):
        return _broken_answer(doing, str(error.message))
    return translate(code, text or str(error.reason or ""), status, doing)


def _broken_answer(doing: str, text: str) -> errors.CloudError:
    return ERRORS.error(errors.ServiceBroken, f"Azure's answer to {doing} makes no sense", text)


def _no_login(error: Any) -> errors.CloudError:
    sdk = load("azure.core.exceptions")
    text = str(getattr(error, "message", "") or error)
    cause = error.__cause__ or error.__context__
    if isinstance(cause, sdk.ServiceRequestError | sdk.ServiceResponseError):
        return ERRORS.error(errors.Unreachable, "Azure cannot be reached to log in", text)
    return ERRORS.error(errors.BadCredentials, "Azure does not let us log in", text)
