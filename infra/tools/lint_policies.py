"""Lint IAM policies for unknown actions, unsuitable resources and wildcards.

The arguments are policies, or files with the output of `expand_template.py`. Prints each finding and exits with 1 if
there is any.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# parliament uses an interface that setuptools will remove, but both are pinned.
warnings.filterwarnings("ignore", message="pkg_resources is deprecated")

import parliament  # noqa: E402


def policies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each policy document of a template with the logical id of its resource, or the document if it is one."""
    if "Statement" in document:
        yield "policy", document
    for logical_id, resource in document.get("Resources", {}).items():
        properties = resource.get("Properties", {})
        for policy in properties.get("Policies", []):
            if isinstance(policy, dict) and "PolicyDocument" in policy:
                yield logical_id, policy["PolicyDocument"]
        match resource["Type"]:
            case "AWS::IAM::ManagedPolicy":
                yield logical_id, properties["PolicyDocument"]
            case "AWS::SecretsManager::ResourcePolicy":
                yield logical_id, properties["ResourcePolicy"]
            case "AWS::Events::EventBusPolicy":
                yield logical_id, {"Version": "2012-10-17", "Statement": [properties["Statement"]]}


def plain(value: Any) -> Any:
    """Return `value` with CloudFormation's functions replaced by example values, including every optional part."""
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    if "Fn::If" in value:
        return plain(value["Fn::If"][1])
    if "Fn::Sub" in value:
        return re.sub(r"\$\{[^}]*}", lambda name: _EXAMPLES.get(name[0], "example"), value["Fn::Sub"])
    if "Ref" in value:
        return _EXAMPLES[value["Ref"]]
    if "Fn::GetAtt" in value:
        return _EXAMPLES[".".join(value["Fn::GetAtt"])]
    return {name: plain(entry) for name, entry in value.items()}


_ARN = "arn:aws:{}:eu-west-1:123456789012:{}"
_EXAMPLES: dict[str, Any] = {
    "${AWS::Partition}": "aws",
    "${AWS::Region}": "eu-west-1",
    "${AWS::AccountId}": "123456789012",
    "${AWS::URLSuffix}": "amazonaws.com",
    "KmsKeyArn": _ARN.format("kms", "key/example"),
    "ConsumerPrincipals": ["arn:aws:iam::210987654321:root"],
    "ExistingCredentialsSecretArn": _ARN.format("secretsmanager", "secret:example-a1b2c3"),
    "TokenSecret.Id": _ARN.format("secretsmanager", "secret:talend-token/default/token-a1b2c3"),
    "DeadLetterQueue.Arn": _ARN.format("sqs", "example"),
    "LockTable.Arn": _ARN.format("dynamodb", "table/example"),
    "RotateLogGroup.Arn": _ARN.format("logs", "log-group:/aws/lambda/example:*"),
    "RenewLogGroup.Arn": _ARN.format("logs", "log-group:/aws/lambda/example:*"),
    "RotateFunction.Arn": _ARN.format("lambda", "function:example"),
    "RenewFunction.Arn": _ARN.format("lambda", "function:example"),
    "RenewFunctionArn": _ARN.format("lambda", "function:example"),
}


# The resources whose policies may name every resource, each with the reason.
_ANY_RESOURCE = {
    "TokenSecretPolicy": "The wildcard in a secret's own policy only means that secret and its replicas.",
    "PublisherPolicy": "Lambda creates the network interfaces, and Describe calls take no resource.",
}


def main() -> int:
    """Print the findings and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("documents", type=Path, nargs="+")
    found, read = 0, 0
    for path in parser.parse_args().documents:
        for logical_id, document in policies(json.loads(path.read_text())):
            read += 1
            for finding in parliament.analyze_policy_string(json.dumps(plain(document))).findings:
                if finding.issue == "RESOURCE_STAR" and logical_id in _ANY_RESOURCE:
                    continue
                # SAM's transform belongs to the account "aws", which the linter does not know.
                if finding.issue == "INVALID_ARN" and ":aws:transform/" in str(finding.location):
                    continue
                found += 1
                print(f"{path}: {logical_id}: {finding.issue}: {finding.detail} {finding.location}", file=sys.stderr)
    print(f"{read} policies linted, {found} findings")
    return 1 if found or not read else 0


if __name__ == "__main__":
    sys.exit(main())
