"""What roles and services may do, by ministack's own evaluation of policies."""

from collections.abc import Mapping

from ministack.core import iam_evaluator
from ministack.services import iam, lambda_svc


def role_allows(role_arn: str, action: str, resource_arn: str, keys: Mapping[str, str] | None = None) -> bool:
    """Whether the policies of the role, within its permissions boundary, allow the action on the resource.

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


def service_may_invoke(service: str, function_arn: str, source_arn: str) -> bool:
    """Whether the function's resource policy lets a service, such as `events.amazonaws.com`, invoke it for a source."""
    policy, account_id = lambda_svc.function_policy_for_arn(function_arn) or (None, "")
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="lambda:InvokeFunction",
        resource_arn=function_arn,
        region=function_arn.split(":")[3],
        service_context={"aws:sourcearn": source_arn, "aws:sourceaccount": account_id},
    )
    return bool(iam_evaluator.evaluate_resource_policy(policy, context, service=service).decision == "Allow")
