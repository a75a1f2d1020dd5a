"""Called by `sam build`: `python trim_models.py FOLDER` puts into it what the functions need of the SDK's models.

Not shipped itself. botocore describes hundreds of services and all that each can do; a cold start would read the whole
of the three that are called, and the endpoints of all. See `rotator.adapters.sdk_models` for who reads this.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

OPERATIONS = {
    "secretsmanager": (
        "DescribeSecret",
        "GetSecretValue",
        "ListSecretVersionIds",
        "PutSecretValue",
        "UpdateSecretVersionStage",
    ),
    # Powertools' Idempotency and circuit breaker.
    "dynamodb": ("DeleteItem", "GetItem", "PutItem", "UpdateItem"),
}


def main(folder: Path) -> None:
    """Write one file for each that botocore would read, under the same name."""
    loader = Loader()
    for service, operations in OPERATIONS.items():
        version = loader.determine_latest_version(service, "service-2")
        _write(folder / service / version / "service-2", _model(loader, service, version, operations))
        rules = f"{service}/{version}/endpoint-rule-set-1"
        _write(folder / rules, loader.load_data(rules))
    endpoints = loader.load_data("endpoints")
    for partition in endpoints["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in OPERATIONS}
    _write(folder / "endpoints", endpoints)


def _model(loader: Loader, service: str, version: str, operations: Iterable[str]) -> dict[str, Any]:
    model: dict[str, Any] = loader.load_service_model(service, "service-2", version)
    model["operations"] = {name: model["operations"][name] for name in operations}
    for operation in model["operations"].values():
        # It names an operation that is not kept, for clients that look for their endpoints.
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
    """The names of the shapes that part of a model refers to."""
    if isinstance(part, list):
        for item in part:
            yield from _referred(item)
    elif isinstance(part, dict):
        if isinstance(part.get("shape"), str):
            yield part["shape"]
        for item in part.values():
            yield from _referred(item)


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_undocumented(content), separators=(",", ":"), ensure_ascii=False)
    path.with_name(f"{path.name}.json").write_text(text, encoding="utf-8")


def _undocumented(part: Any) -> Any:
    if isinstance(part, list):
        return [_undocumented(item) for item in part]
    if isinstance(part, dict):
        kept = {name: item for name, item in part.items() if name != "documentation" or not isinstance(item, str)}
        return {name: _undocumented(item) for name, item in kept.items()}
    return part


if __name__ == "__main__":
    main(Path(sys.argv[1]))
