"""The rights with which CloudFormation acts.

As it comes, ministack lets CloudFormation do everything and ignores `RoleARN`. On AWS it acts with the rights of the
stack's service role, which it remembers, or else of its caller: "CloudFormation uses a temporary session that it
generates from your user credentials" (user guide, "CloudFormation service role"). The schema of its type says which
calls a resource takes, and each is checked before the resource is touched. Types that no template here has are not
checked.
"""

import argparse
import contextvars
import re
from collections.abc import Callable
from typing import Any

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import cloudformation, iam
from ministack.services.cloudformation import handlers as api
from ministack.services.cloudformation import helpers, provisioners

from local_aws.deployment_calls import calls
from local_aws.policies import role_allows

Properties = dict[str, Any]
Handler = Callable[..., Any]

OPERATIONS = ("CreateStack", "UpdateStack", "CreateChangeSet", "ExecuteChangeSet", "DeleteStack")
# The end of a resource's ARN, and the property that names the resource if the template does.
ARNS = {
    "AWS::CloudFormation::Stack": ("cloudformation:{where}:stack/{name}/*", ""),
    "AWS::CloudWatch::Alarm": ("cloudwatch:{where}:alarm:{name}", "AlarmName"),
    "AWS::CloudWatch::Dashboard": ("cloudwatch::{account}:dashboard/{name}", "DashboardName"),
    "AWS::DynamoDB::Table": ("dynamodb:{where}:table/{name}", "TableName"),
    "AWS::Events::Rule": ("events:{where}:rule/{name}", "Name"),
    "AWS::IAM::ManagedPolicy": ("iam::{account}:policy/{name}", "ManagedPolicyName"),
    "AWS::IAM::Role": ("iam::{account}:role/{name}", "RoleName"),
    "AWS::Lambda::EventInvokeConfig": ("lambda:{where}:function:{name}", "FunctionName"),
    "AWS::Lambda::Function": ("lambda:{where}:function:{name}", "FunctionName"),
    "AWS::Lambda::LayerVersion": ("lambda:{where}:layer:{name}", "LayerName"),
    "AWS::Lambda::Permission": ("lambda:{where}:function:{name}", "FunctionName"),
    "AWS::Logs::LogGroup": ("logs:{where}:log-group:{name}", "LogGroupName"),
    "AWS::Logs::QueryDefinition": ("logs:{where}:query-definition:{name}", ""),
    "AWS::S3::Bucket": ("s3:::{name}", "BucketName"),
    "AWS::S3::BucketPolicy": ("s3:::{name}", "Bucket"),
    "AWS::SNS::Subscription": ("sns:{where}:{name}", "TopicArn"),
    "AWS::SNS::Topic": ("sns:{where}:{name}", "TopicName"),
    "AWS::SQS::Queue": ("sqs:{where}:{name}", "QueueName"),
    "AWS::Scheduler::Schedule": ("scheduler:{where}:schedule/default/{name}", "Name"),
    "AWS::SecretsManager::Secret": ("secretsmanager:{where}:secret:{name}-??????", "Name"),
}
# Beginnings of the calls that are allowed for every resource or for none [Service Authorization Reference].
WITHOUT_RESOURCE = (
    "ec2:Describe", "logs:DeleteQueryDefinition", "logs:Describe", "logs:PutQueryDefinition",
    "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe",
)  # fmt: skip
# The role whose rights count, and whether it is a service role; nothing for the administrator.
_acting: contextvars.ContextVar[tuple[str, bool]] = contextvars.ContextVar("acting", default=("", False))


def patch(_options: argparse.Namespace) -> None:
    """Note who acts in each operation, and hold the handlers of resources to it."""
    for name in OPERATIONS:
        cloudformation._ACTION_HANDLERS[name] = _with_role(cloudformation._ACTION_HANDLERS[name])
    for kind in ARNS:
        of_kind = provisioners._RESOURCE_HANDLERS[kind]
        for operation in {"create", "update", "delete"} & of_kind.keys():
            of_kind[operation] = _checked(kind, operation, of_kind[operation])


def _with_role(operation: Handler) -> Handler:
    def operate(parameters: Properties) -> Any:
        stack, passed = helpers._p(parameters, "StackName"), helpers._p(parameters, "RoleARN")
        # arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
        _, _, assumed = iam_evaluator.caller_arn().partition(":assumed-role/")
        caller = f"arn:aws:iam::{get_account_id()}:role/{assumed.split('/')[0]}" if assumed else ""
        if passed and caller and not role_allows(caller, "iam:PassRole", passed):
            denial = iam_actions.identity_denial_message("iam:PassRole", caller, passed, False)
            return helpers._error("AccessDenied", denial, 403)
        if passed and "cloudformation.amazonaws.com" not in str(iam._roles.get(passed.rsplit("/", 1)[-1])):
            return helpers._error("ValidationError", f"Role {passed} is invalid or cannot be assumed")
        found = api._resolve_stack(stack) or {"StackStatus": "DELETE_COMPLETE"}
        role = passed or (found.get("RoleARN", "") if found["StackStatus"] != "DELETE_COMPLETE" else "")
        token = _acting.set((role or caller, bool(role)))
        try:
            answer = operation(parameters)
        finally:
            _acting.reset(token)
        if passed and (found := api._resolve_stack(stack)):
            found["RoleARN"] = passed
        return answer

    return operate


def _checked(kind: str, operation: str, handler: Handler) -> Handler:
    def handle(*arguments: Any) -> Any:
        role, _ = _acting.get()
        if role:
            named = f"{arguments[2]}-{arguments[0]}" if operation == "create" else str(arguments[0])
            properties = arguments[2 if operation == "update" else 1]
            for action in sorted(calls(kind, operation)):
                request = _request(kind, action, named, properties)
                if request and not role_allows(role, action, *request):
                    acting = f"{role.replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/AWSCloudFormation"
                    raise ValueError(iam_actions.identity_denial_message(action, acting, request[0], False))
        return handler(*arguments)

    return handle


def _request(kind: str, action: str, named: str, properties: Properties) -> tuple[str, dict[str, str]] | None:
    """The ARN on which a call is made, and the condition keys of it; None if the properties do not need the call."""
    role, is_service_role = _acting.get()
    if action.startswith(WITHOUT_RESOURCE):
        return "*", {}
    if action == "iam:PassRole":
        # CloudFormation passes the service role to nested stacks, with the rights of the service role.
        nested = role if is_service_role and kind == "AWS::CloudFormation::Stack" else ""
        passed = nested or properties.get("Role") or properties.get("Target", {}).get("RoleArn")
        return (passed, {}) if passed else None
    if action.startswith("kms:"):
        key = properties.get("KmsKeyId")
        return (key, {"kms:viaservice": f"secretsmanager.{get_region()}.amazonaws.com"}) if key else None
    if action.startswith("s3:GetObject"):
        code = properties.get("Code") or properties["Content"]
        return (f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", {}) if "S3Bucket" in code else None
    pattern, member = ARNS[kind]
    # A queue is known by its URL, and some resources by their ARN.
    name = re.sub(".*://.*/", "", str(properties.get(member) or named))
    where = {"where": f"{get_region()}:{get_account_id()}", "account": get_account_id()}
    boundary = properties.get("PermissionsBoundary") if kind == "AWS::IAM::Role" else None
    keys = {"iam:permissionsboundary": boundary} if boundary else {}
    return name if name.startswith("arn:") else "arn:aws:" + pattern.format(name=name, **where), keys
