"""The table by which a cloud's answers become kinds of errors with advice."""

from __future__ import annotations

import sys

import pytest

from machine import own_command
from machine.drivers import registry
from machine.drivers.cloud import errors
from machine.drivers.cloud.driver import CloudDriver
from machine.drivers.cloud.errors import CloudError, ErrorTable, code_in_words, connection_error
from machine.errors import PreflightFailed, as_preflight_error

CLOUDS = sorted(name for name in registry.TABLE if issubclass(registry.find(name), CloudDriver))
TABLE = ErrorTable(
    "sky",
    advice={errors.BadImage: "choose another --sky-image"},
    codes={errors.BadImage: "NoImage InvalidImage.", errors.RateLimited: "SlowDown"},
    statuses={401: errors.BadCredentials},
    sentences=[("quota", errors.QuotaExceeded), ("image", errors.BadImage)],
    longest=10,
)


def test_codes_statuses_and_sentences_stand_for_kinds() -> None:
    assert TABLE.by_code("NoImage") is TABLE.by_code("InvalidImage.NotFound") is errors.BadImage
    assert TABLE.by_code("New") is TABLE.by_code("") is None
    assert TABLE.by_status(401) is errors.BadCredentials
    assert TABLE.by_status(503) is errors.ServiceBroken
    assert TABLE.by_status(422) is None
    assert TABLE.by_sentence("The QUOTA for images") is errors.QuotaExceeded
    assert TABLE.by_sentence("something new") is None


def test_the_surest_of_what_an_answer_tells_decides() -> None:
    told = {"code": "NoImage", "status": 401, "blamed": "quota", "text": "image"}
    kinds = []
    while told:
        kinds.append(TABLE.kind_of(**told, otherwise=errors.BadRequest))  # type: ignore[arg-type]
        told.pop(next(iter(told)))
    assert kinds == [errors.BadImage, errors.BadCredentials, errors.QuotaExceeded, errors.BadImage]
    assert TABLE.kind_of(code="QuotaReached") is errors.QuotaExceeded, "a code that is not known is words too"
    assert TABLE.kind_of(text="something new") is errors.CloudError
    assert TABLE.kind_of(status=418, otherwise=errors.BadRequest) is errors.BadRequest


def test_an_error_has_its_advice_and_what_the_cloud_said() -> None:
    error = TABLE.error(errors.BadImage, "there is no image x", " y" * 100, code="NoImage", status=404)
    assert type(error) is errors.BadImage
    assert (error.brief, error.details, error.resolution) == (
        "there is no image x",
        "y y y y y ",
        "choose another --sky-image",
    )
    assert (error.code, error.status) == ("NoImage", 404)
    early = as_preflight_error(error)
    assert isinstance(early, errors.BadImage)
    assert isinstance(early, PreflightFailed)
    assert (early.resolution, type(early).__name__) == (error.resolution, "BadImage")


def test_a_preflight_refuses_with_what_is_wrong_and_what_to_do() -> None:
    with pytest.raises(PreflightFailed) as caught:
        errors.refuse("there is no image x", "choose another --sky-image", details="of 3")
    assert (caught.value.brief, caught.value.resolution, caught.value.details) == (
        "there is no image x",
        "choose another --sky-image",
        "of 3",
    )


def test_an_error_of_an_sdk_is_replaced_and_one_of_ours_passes() -> None:
    def convert(error: Exception, doing: str) -> CloudError | None:
        return errors.BadImage(f"{doing}: {error}") if isinstance(error, KeyError) else None

    ours = errors.InUse("taken")
    for raised, said in ((KeyError("x"), "list images: 'x'"), (OSError("gone"), "gone"), (ours, "taken")):
        with pytest.raises((CloudError, OSError), match=said) as caught, errors.sdk_errors(convert, "list images"):
            raise raised
        assert isinstance(raised, KeyError) == isinstance(caught.value, errors.BadImage)


def test_a_refusal_shows_the_code_and_the_sentence() -> None:
    assert TABLE.refusal(errors.InUse, "no", "Taken", "").details == "Taken"
    assert TABLE.refusal(errors.InUse, "no", "Taken", " by x ").details == "Taken: by x"


def test_where_a_cloud_has_no_advice_there_is_the_one_for_all() -> None:
    assert TABLE.error(errors.InUse, "").resolution == "try again once that is gone"
    assert "machine create -d sky --help" in TABLE.error(errors.CloudError, "").resolution


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize(
    "kind",
    [
        errors.BadCredentials,
        errors.NotAllowed,
        errors.NoCapacity,
        errors.QuotaExceeded,
        errors.BadImage,
        errors.BadSize,
        errors.BadNetwork,
        errors.BadVolume,
        errors.NameTaken,
        errors.WrongState,
        errors.InUse,
        errors.RateLimited,
        errors.Unreachable,
        errors.ApiTimeout,
        errors.ServiceBroken,
    ],
)
def test_every_cloud_has_advice_for_what_every_cloud_can_refuse(name: str, kind: errors.ErrorClass) -> None:
    driver = registry.find(name)
    assert issubclass(driver, CloudDriver)
    assert driver.provider.errors.error(kind, "no").resolution


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("HTTPSConnectionPool(host='k', port=443): Read timed out. (read timeout=3)"), errors.ApiTimeout),
        (ConnectionRefusedError(111, "Connection refused"), errors.Unreachable),
        (KeyError("servers"), errors.ServiceBroken),
        (ValueError("no JSON"), errors.ServiceBroken),
        (RuntimeError("a mistake of ours"), None),
    ],
)
def test_an_exception_instead_of_an_answer(error: Exception, kind: errors.ErrorClass | None) -> None:
    found = errors.unanswered(TABLE, "Sky", error, "list images")
    assert (None if found is None else type(found)) is kind
    assert found is None or "list images" in found.brief


def test_advice_names_the_flags_of_the_driver() -> None:
    advice = errors.api_advice("sky", "https://status.sky.example")
    assert advice[errors.ApiTimeout] == "try again; --sky-api-timeout waits longer"
    assert "https://status.sky.example" in advice[errors.ServiceBroken]


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "é"])
def test_a_token_that_no_header_can_carry(token: str) -> None:
    with pytest.raises(errors.BadCredentials):
        errors.usable_token(TABLE, token)
    assert errors.usable_token(TABLE, " abc\n") == "abc"


def test_a_code_in_words() -> None:
    assert code_in_words("SkuNotAvailable").strip() == "sku not available"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Unable to establish connection to http://k:5000/v3: HTTPConnectionPool(host='k', port=5000): Max retries "
            "exceeded with url: /v3 (Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at 0x7f>: "
            "Failed to establish a new connection: [Errno 111] Connection refused'))",
            "Unable to establish connection to http://k:5000/v3: Connection refused",
        ),
        (
            "SSL exception connecting to https://k: HTTPSConnectionPool(host='k', port=443): Max retries exceeded with "
            "url: / (Caused by SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate "
            "verify failed: self-signed certificate (_ssl.c:992)')))",
            "SSL exception connecting to https://k: certificate verify failed: self-signed certificate",
        ),
        (
            "HTTPSConnectionPool(host='k', port=443): Max retries exceeded with url: / (Caused by NameResolutionError("
            "\"<x>: Failed to resolve 'k' ([Errno -2] Name or service not known)\"))",
            "Name or service not known",
        ),
        (
            "Request to https://k timed out: HTTPSConnectionPool(host='k', port=443): Read timed out. (read timeout=3)",
            "Request to https://k timed out: Read timed out",
        ),
        ("[Errno 2] no pool in it", "[Errno 2] no pool in it"),
    ],
)
def test_the_reason_is_told_without_the_librarys_objects(text: str, said: str) -> None:
    assert connection_error(text) == said


@pytest.mark.parametrize("packaged", [False, True])
def test_a_package_that_is_missing_is_brought_to_the_python_that_runs(
    packaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["__main__"], own_command.ATTRIBUTE, ["/usr/bin/machine"] * packaged, raising=False)
    with pytest.raises(PreflightFailed) as caught, errors.sdk_needed("sky", "skysdk", TABLE):
        raise ImportError
    assert ("DIR/bin/pip install skysdk" in caught.value.resolution) == packaged
    assert ("pipx inject" in caught.value.resolution) != packaged
