"""config.json as bytes, to and from the JSON object that a Record wraps; every known key checked and spelled our way.

Whatever the bytes are, `decode` returns an object whose known keys have their kinds, or raises RecordBroken.
"""

from __future__ import annotations

from machine import paths
from machine.errors import RecordBroken, StoreError
from machine.store import key_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

LARGEST = 16 * 2**20  # bytes; docker-machine's files have about 3 KB
_BOM = b"\xef\xbb\xbf"  # the codec utf-8-sig is a module of its own
_KIND_NAMES = {
    dict: "an object",
    list: "a list of strings",
    str: "a string",
    int: "a whole number",
    bool: "true or false",
}


def record_error(name: str, reason: str, resolution: str = "") -> RecordBroken:
    """The error of one machine whose config.json cannot be used."""
    return RecordBroken(
        f"the record of machine {name} is broken",
        details=reason,
        resolution=resolution or f"restore machines/{name}/config.json from a backup, or drop it: machine rm -f {name}",
    )


def locate(error: RecordBroken, root: str, name: str) -> None:
    """Put the full path of machine `name`'s config.json, in the store `root`, into what to type."""
    path = paths.machine(root, name, paths.CONFIG)
    error.resolution = error.resolution.replace(f" machines/{name}/{paths.CONFIG}", f" {path}")


def decode(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in `data`, known keys of the top level folded. Raises RecordBroken if it is none."""
    import json  # with `re` it is a third of `ls -q`, which reads no record

    try:
        text = data.removeprefix(_BOM).decode()
        raw = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(raw, ensure_ascii=False).encode()  # half a surrogate pair can be neither shown nor saved
    except UnicodeDecodeError as error:
        raise record_error(name, f"config.json is not UTF-8 text (byte {error.start})") from None
    except UnicodeEncodeError:
        raise record_error(name, "config.json holds half a surrogate pair") from None
    except RecursionError:
        raise record_error(name, "config.json is nested too deeply") from None
    except ValueError as error:  # JSONDecodeError, numbers of thousands of digits
        raise record_error(
            name, f"config.json is not JSON: {error}" if text.strip() else "config.json is empty"
        ) from None
    if not isinstance(raw, dict):
        raise record_error(name, "config.json is not a JSON object")
    normalize_key_case(raw, key_names.HOST)
    return raw


def encode(raw: dict[str, Any], name: str) -> bytes:
    """The bytes to save: 4-space indent, no newline at the end, as docker-machine writes.

    Raises StoreError if not JSON.
    """
    import json

    try:
        return json.dumps(raw, indent=4, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:  # a path out of the environment or the command line, as Python holds such bytes
        around = error.object.rfind('"', 0, error.start) + 1, error.object.find('"', error.start)
        text = error.object[slice(*around)].encode("utf-8", "backslashreplace").decode()
        raise StoreError(
            f"{text} has a byte that is no UTF-8, and the record of machine {name} cannot hold it",
            resolution="rename that file or directory; or, if it is your home, keep the machines elsewhere:"
            " export MACHINE_STORAGE_PATH=/a/plain/path",
        ) from None
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"the record of machine {name} cannot be written as JSON", details=str(error)) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):  # not `math.isfinite`: the fast commands load no module more
        raise ValueError(f"the number {text} is too large")
    return number


def normalize_key_case(value: dict[str, Any], known: key_names.Schema | dict[str, Any]) -> None:
    """Rename keys that differ from a known one only by case; where both are there the right spelling wins."""
    missing = [key for key in known if key not in value]
    if not missing:
        return
    missing_by_lower = {key.lower(): key for key in missing}
    found = {
        key: missing_by_lower[key.lower()] for key in value if key not in known and key.lower() in missing_by_lower
    }
    for old, new in found.items():
        if new not in value:
            value[new] = value.pop(old)


def validate(
    value: dict[str, Any], schema: key_names.Schema, name: str, location: str, *, fill: bool = True
) -> dict[str, Any]:
    """`value` with the schema's keys first, folded, null replaced by the kind's zero.

    Raises RecordBroken on a wrong kind.

    With `fill` missing keys get their zero too; without, only keys that are there are looked at. Unknown keys stay.
    """
    normalize_key_case(value, schema)
    result: dict[str, Any] = {}
    for key, kind in schema.items():
        if key in value or fill:
            found = value.get(key)
            result[key] = _zero(kind) if found is None else _checked(found, kind, name, f"{location}{key}")
    result.update((key, found) for key, found in value.items() if key not in result)
    return result


def _zero(kind: type) -> Any:
    return 0 if kind is float else kind()  # as Go writes it


def _checked(found: Any, kind: type, name: str, location: str) -> Any:
    """`found` if it has the kind (bool is no number, text holds no control characters), else RecordBroken."""
    has_kind = type(found) is kind or (kind is float and type(found) is int)
    if has_kind and kind is list:
        has_kind = all(type(item) is str for item in found)
    if not has_kind:
        raise record_error(name, f"{location} in config.json must be {_KIND_NAMES.get(kind, 'a number')}")
    if kind in (int, float) and abs(found) >= 2**63:
        raise record_error(name, f"{location} in config.json is too large a number")
    texts = found if kind is list else []
    if kind is str:
        texts = [found]
    for text in texts:
        if not text.isprintable() and any(character < " " or character == "\x7f" for character in text):
            raise record_error(name, f"{location} in config.json holds control characters")
    return found
