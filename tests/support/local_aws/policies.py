"""The rights of roles, event rules and callers of other AWS accounts, by ministack's own evaluation of policies.

As it comes, ministack looks for a resource in its caller's account only, so a call from another account never finds it.
On AWS both sides must allow such a call: the policies of the caller, and the policy of the resource [IAM user guide,
"Cross-account policy evaluation logic"]. A policy that denies what does not come by TLS would deny everything, because
this AWS listens on plain HTTP.
"""

import argparse
from collections.abc import Callable, Mapping
from typing import Any

from ministack import app
from ministack.core import iam_evaluator
from ministack.core.responses import _request_account_id, get_account_id
from ministack.services import iam, lambda_svc

SHARED = ("lambda", "secretsmanager")


def patch(_options: argparse.Namespace) -> None:
    """Look up the policy of a resource in the account that its ARN names, and serve an allowed call there."""
    iam_evaluator._resource_policy = _of_owner(iam_evaluator._resource_policy)
    iam_evaluator.enforce = _then_serve_in_owner(iam_evaluator.enforce)
    app.pin_request_origin = lambda address, _is_secure: iam_evaluator.pin_request_origin(address, True)


def role_allows(role_arn: str, action: str, resource_arn: str, keys: Mapping[str, str] | None = None) -> bool:
    """Return whether the policies of the role, within its permissions boundary, allow the action on the resource.

    `keys` are the condition keys of the request, in lower case.
    """
    account_id, role_name = role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    context = iam_evaluator.EvalContext(
        principal_arn=role_arn,
        principal_type="AssumedRole",
        principal_account=account_id,
        action=action,
        resource_arn=resource_arn,
        region="" if resource_arn == "*" else resource_arn.split(":")[3],
        service_context=dict(keys or {}),
    )
    policies = iam_evaluator._gather_role_policies(role_name, account_id)
    boundary = iam_evaluator._permissions_boundary(iam._roles, role_name, account_id)
    return bool(iam_evaluator.evaluate(context, policies, *boundary).decision == "Allow")


def rule_may_invoke(rule_arn: str, function_arn: str) -> bool:
    """Return whether the function's resource policy lets EventBridge invoke it for a rule."""
    policy, account_id = lambda_svc.function_policy_for_arn(function_arn) or (None, "")
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=function_arn.split(":")[3],
        service_context={"aws:sourcearn": rule_arn, "aws:sourceaccount": account_id},
    )
    found = iam_evaluator.evaluate_resource_policy(policy, context, service="events.amazonaws.com")
    return bool(found.decision == "Allow")


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
