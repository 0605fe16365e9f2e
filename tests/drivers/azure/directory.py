"""The directory that gives out tokens: OpenID discovery and OAuth's client-credentials and device-code grants.

And a VM's metadata service, which does so for what runs there.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import json
import urllib.parse
import uuid
from typing import Any

TENANT = "11111111-1111-1111-1111-111111111111"
CLIENT = "22222222-2222-2222-2222-222222222222"
SECRET = "not-a-real-secret-but-shall-not-be-seen"


def _token(claims: dict[str, Any]) -> str:
    """A JWT that nobody checks the signature of."""

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.unsigned"


class Directory:
    """Knows one service principal, by secret and (when `certificate` is set, PEM) by certificate, and one user."""

    def __init__(self) -> None:
        self.tokens: set[str] = set()
        self.certificate = b""
        self.federated = ""  # the token of another issuer that is believed (a Kubernetes service account's)
        self.prompts = 0  # how often somebody was given a code to enter
        self.asked: list[dict[str, str]] = []  # of the metadata service
        self.scopes: list[str] = []

    def answer(self, method: str, path: str, body: bytes, base: str) -> tuple[int, dict[str, Any]] | None:
        """(status, JSON), None when it is not about logging in."""
        parts = path.partition("?")[0].strip("/").split("/")
        tenant = parts[0]
        if parts[1:] == ["v2.0", ".well-known", "openid-configuration"]:
            return 200, {
                "authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/{tenant}/oauth2/v2.0/token",
                "device_authorization_endpoint": f"{base}/{tenant}/oauth2/v2.0/devicecode",
                "issuer": f"{base}/{tenant}/v2.0",
            }
        form = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"))) if method == "POST" else {}
        if parts[1:] == ["oauth2", "v2.0", "devicecode"]:
            self.prompts += 1
            return 200, {
                "user_code": "ABCD1234",
                "device_code": "device",
                "verification_uri": f"{base}/device",
                "expires_in": 900,
                "interval": 1,
                "message": "enter the code",
            }
        if parts[1:] == ["oauth2", "v2.0", "token"]:
            return self._grant(form, base, tenant)
        return None

    def metadata(self, asked: dict[str, str], headers: Any) -> tuple[int, dict[str, Any]]:
        """What a VM's metadata service says to who asks for a token of its identity; it has one, and a user's (CLIENT).

        https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
        """
        self.asked.append(asked)
        if headers.get("Metadata") != "true":
            return 400, {"error": "invalid_request", "error_description": "Required metadata header not specified"}
        if asked.get("client_id", CLIENT) != CLIENT:
            return 400, {"error": "invalid_request", "error_description": "Identity not found"}
        given = self._given({"resource": asked["resource"], "client_id": CLIENT, "expires_on": "4102444800"})
        return 200, {**given, "expires_in": "3599"}

    def _grant(self, form: dict[str, str], base: str, tenant: str) -> tuple[int, dict[str, Any]]:
        self.scopes.append(form.get("scope", ""))
        kind = form.get("grant_type", "")
        if kind == "client_credentials":
            if tenant != TENANT or form.get("client_id") != CLIENT:
                return _refused("unauthorized_client", "AADSTS700016: Application was not found in the directory.", 400)
            if not self._proved(form, base, tenant):
                return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.", 401)
            return 200, self._given({})
        if kind.endswith("device_code") and form.get("device_code") == "device":
            mine: dict[str, object] = {
                "aud": form.get("client_id"),
                "oid": "u",
                "sub": "u",
                "tid": TENANT,
                "preferred_username": "ada",
            }
            mine |= {"iss": f"{base}/{TENANT}/v2.0", "iat": 1, "exp": 4102444800}
            account = base64.urlsafe_b64encode(json.dumps({"uid": "u", "utid": TENANT}).encode()).decode()
            scope = {"scope": form["scope"]} if "scope" in form else {}
            return 200, self._given(
                {"id_token": _token(mine), "refresh_token": "again", "client_info": account, **scope}
            )
        if kind == "refresh_token" and form.get("refresh_token") == "again":
            return 200, self._given({"scope": form["scope"]})
        return _refused("invalid_grant", "AADSTS70000: The grant is not valid.", 400)

    def _proved(self, form: dict[str, str], base: str, tenant: str) -> bool:
        if form.get("client_secret"):
            return form["client_secret"] == SECRET
        if self.federated and form.get("client_assertion") == self.federated:
            return True
        if not form.get("client_assertion") or not self.certificate:
            return False
        import jwt
        from cryptography import x509

        key: Any = x509.load_pem_x509_certificate(self.certificate).public_key()
        address = f"{base}/{tenant}/oauth2/v2.0/token"
        try:
            jwt.decode(form["client_assertion"], key, algorithms=["PS256", "RS256"], audience=address)
        except jwt.InvalidTokenError:
            return False
        return True

    def _given(self, more: dict[str, Any]) -> dict[str, Any]:
        token = f"token-{uuid.uuid4().hex}"
        self.tokens.add(token)
        return {"token_type": "Bearer", "expires_in": 3599, "access_token": token, **more}


def _refused(error: str, text: str, status: int) -> tuple[int, dict[str, Any]]:
    return status, {"error": error, "error_description": text, "error_codes": [int(text[6:].partition(":")[0])]}
