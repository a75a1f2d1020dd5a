"""Callers of other AWS accounts, who may use what this account's policies let them use.

As it comes, ministack looks for a resource in its caller's account only, so a call from another account never finds it.
On AWS both sides must allow such a call: the policies of the caller, and the policy of the resource [IAM user guide,
"Cross-account policy evaluation logic"].
"""

import argparse
from collections.abc import Callable
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import _request_account_id, get_account_id

SHARED = ("lambda", "secretsmanager")


def mend(_options: argparse.Namespace, _routes: dict[str, Callable[[], Any]]) -> None:
    """Look up the policy of a resource in the account that its ARN names, and serve an allowed call there."""
    iam_evaluator._resource_policy = _of_owner(iam_evaluator._resource_policy)
    iam_evaluator.enforce = _then_serve_in_owner(iam_evaluator.enforce)


def _of_owner(look_up: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    def look_up_in_owner(service: str, arn: str) -> Any:
        owner = _other_owner(service, arn)
        if not owner:
            return look_up(service, arn)
        token = _request_account_id.set(owner)
        try:
            # A resource without a policy is open to its own account only.
            return look_up(service, arn) or ("", owner)
        finally:
            _request_account_id.reset(token)

    return look_up_in_owner


def _then_serve_in_owner(enforce: Callable[..., Any]) -> Callable[..., Any]:
    def enforce_and_serve(
        key: str, action: str, service: str, region: str, resource_arn: str = "*", **keys: Any
    ) -> Any:
        denied = enforce(key, action, service, region, resource_arn=resource_arn, **keys)
        owner = _other_owner(service, resource_arn)
        # ministack asks no policy about an account's root user.
        if owner and not denied and not iam_evaluator.is_root_access_key(key):
            _request_account_id.set(owner)
        return denied

    return enforce_and_serve


def _other_owner(service: str, arn: str) -> str | None:
    """Return the account that owns the resource; None if that is the caller's, or it cannot be shared."""
    owner = arn.split(":")[4] if service in SHARED and arn.startswith("arn:") else None
    return None if owner == get_account_id() else owner
