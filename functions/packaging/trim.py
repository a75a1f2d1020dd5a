"""Removes what the functions do not use from the packaged libraries: `python trim.py FOLDER`, called by `sam build`.

The AWS SDK describes hundreds of services. A cold start would read the complete models of the two services that are
called, and the endpoints of all services. The models of the operations that are called are kept.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OPERATIONS = {
    "secretsmanager": (
        "DescribeSecret",
        "GetSecretValue",
        "ListSecretVersionIds",
        "PutSecretValue",
        "UpdateSecretVersionStage",
    ),
    # The lock and the circuit breaker.
    "dynamodb": ("DeleteItem", "GetItem", "PutItem", "UpdateItem"),
}
POWERTOOLS_UTILITIES = (
    *("auth_alpha", "batch", "data_classes", "data_masking", "feature_flags", "kafka", "metadata"),
    *("parameters", "parser", "streaming", "validation"),
)
# Neither the handlers nor the remaining libraries import these; tests/template/test_package.py checks that.
UNUSED = (
    "bin",
    "aws_lambda_powertools/event_handler",
    *(f"aws_lambda_powertools/utilities/{name}" for name in POWERTOOLS_UTILITIES),
    "boto3/data",
    "boto3/examples",
    # botocore uses the certificate authorities of certifi instead.
    "botocore/cacert.pem",
    "dateutil/zoneinfo",
)
REWRITTEN = "botocore/data/"
_MODEL, _RULES = "service-2", "endpoint-rule-set-1"


def main(folder: Path) -> None:
    """Remove the unused parts and rewrite the SDK's data.

    Raises:
        FileNotFoundError: a part is missing, because a new release of a library has changed its layout.
    """
    for part in UNUSED:
        path = folder / part
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    data = folder / "botocore" / "data"
    for service in data.iterdir():
        if service.is_dir() and service.name not in OPERATIONS:
            shutil.rmtree(service)
    for name in OPERATIONS:
        _trim_service(data / name)
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in OPERATIONS}
    _write(data / "endpoints.json", endpoints)
    for record in folder.glob("*.dist-info/RECORD"):
        _list_only_what_is_left(record)


def _list_only_what_is_left(record: Path) -> None:
    """Remove the files that are not packaged from a library's own list [PyPA, recording installed projects].

    The list also has the hashes of command line scripts, which name the interpreter, so the same release would have
    other bytes on another machine.
    """
    lines = record.read_text().splitlines(keepends=True)
    folder = record.parents[1]
    left = [line for line in lines if not line.startswith("../") and (folder / line.split(",")[0]).exists()]
    record.write_text("".join(left))


def _trim_service(service: Path) -> None:
    *older, latest = sorted(service.iterdir())
    for version in older:
        shutil.rmtree(version)
    model, rules = (json.loads(gzip.decompress((latest / f"{name}.json.gz").read_bytes())) for name in (_MODEL, _RULES))
    for path in latest.iterdir():
        # The extras add the service's id to the model.
        if path.name != f"{_MODEL}.sdk-extras.json":
            path.unlink()
    _write(latest / f"{_MODEL}.json", _trimmed_model(model, OPERATIONS[service.name]))
    _write(latest / f"{_RULES}.json", rules)


def _trimmed_model(model: dict[str, Any], operations: tuple[str, ...]) -> dict[str, Any]:
    model["operations"] = {name: model["operations"][name] for name in operations}
    for operation in model["operations"].values():
        # It refers to an operation that is removed here, which only clients with endpoint discovery call.
        operation.pop("endpointdiscovery", None)
    needed: set[str] = set()
    todo = list(_referred(model["operations"]))
    while todo:
        name = todo.pop()
        if name not in needed:
            needed.add(name)
            todo += _referred(model["shapes"][name])
    model["shapes"] = {name: shape for name, shape in model["shapes"].items() if name in needed}
    return model


def _referred(part: object) -> Iterator[str]:
    """Yield the names of the shapes to which a part of a model refers."""
    if isinstance(part, list):
        for item in part:
            yield from _referred(item)
    elif isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for item in part.values():
            yield from _referred(item)


def _write(path: Path, content: object) -> None:
    text = json.dumps(_undocumented(content), separators=(",", ":"), ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


def _undocumented(part: Any) -> Any:
    if isinstance(part, list):
        return [_undocumented(item) for item in part]
    if isinstance(part, dict):
        kept = {name: item for name, item in part.items() if name != "documentation" or not isinstance(item, str)}
        return {name: _undocumented(item) for name, item in kept.items()}
    return part


if __name__ == "__main__":
    main(Path(sys.argv[1]))
