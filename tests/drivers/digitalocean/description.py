"""DigitalOcean's own description of its API as the judge over every request and every answer of a stand-in."""

from __future__ import annotations

import functools
import gzip
import json
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parent / "data" / "openapi.json.gz"
HOST = "https://api.digitalocean.com"


@functools.cache
def _api() -> Any:
    """Read once; openapi-core's check of the description itself is left out, it takes a minute."""
    openapi_core = pytest.importorskip("openapi_core")
    described = json.loads(gzip.decompress(DATA.read_bytes()))
    # The key in a path refers to schemas that are "readOnly", a word about properties: openapi-core would refuse all.
    described["components"]["parameters"]["ssh_key_identifier"]["schema"] = {
        "anyOf": [{"type": "integer"}, {"type": "string"}]
    }
    return openapi_core.OpenAPI.from_dict(described, config=openapi_core.Config(spec_validator_cls=None))


class Exchange:
    """One request, to be judged, and then its answer."""

    def __init__(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> None:
        from openapi_core import testing

        self.api = _api()
        parts = urllib.parse.urlsplit(path)
        self.method, self.path = method, parts.path
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.request = testing.MockRequest(
            HOST, method.lower(), parts.path, args=self.query, headers=dict(headers), data=body
        )

    def wrong(self) -> str:
        """What the description forbids in the request, "" if it is fine."""
        from openapi_core.exceptions import OpenAPIError

        try:
            self.api.validate_request(self.request)
        except OpenAPIError as error:
            return self._said("request", error)
        return ""

    def wrong_answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> str:
        """What the description forbids in the answer, "" if it is fine."""
        from openapi_core import testing
        from openapi_core.exceptions import OpenAPIError

        answer = testing.MockResponse(body, status, dict(headers), "application/json")
        try:
            self.api.validate_response(self.request, answer)
        except OpenAPIError as error:
            return self._said(f"answer {status}", error)
        return ""

    def _said(self, what: str, error: BaseException) -> str:
        cause = error.__cause__
        more = [str(found.message) for found in getattr(cause, "schema_errors", [])]
        return f"{self.method} {self.path}: {what}: {error} {'; '.join(more) or cause or ''}"
