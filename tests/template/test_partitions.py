"""The templates work in every partition of AWS: in China, GovCloud and the European Sovereign Cloud, too."""

import re

import pytest

PARTITIONS = {
    "aws": "eu-west-1",
    "aws-cn": "cn-northwest-1",
    "aws-us-gov": "us-gov-east-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso-b": "us-isob-east-1",
}
# What the patterns of parameters are about: an ARN for each, without its partition and Region.
ARNS = {
    "secretsmanager": "123456789012:secret:team/mine-a1b2c3",
    "kms": "123456789012:key/mrk-0123456789abcdef",
    "lambda": "123456789012:layer:talend-token-client:7",
    "iam": "123456789012:policy/talend-token-ConsumerPolicy-1",
}
# Service principals have this suffix in every partition.
PRINCIPAL = re.compile(r"[a-z]+\.amazonaws\.com")
VIA_SERVICE = {
    "secretsmanager.${AWS::Region}.${AWS::URLSuffix}",
    # The name that China may have as well.
    "secretsmanager.${AWS::Region}.amazonaws.com",
}


def patterns(every_template):
    """The pattern of every parameter that is an ARN, with the service that it names."""
    for stack, template in every_template.items():
        for name, parameter in template["Parameters"].items():
            pattern = parameter.get("AllowedPattern", "")
            if "arn:" in pattern:
                (service,) = {service for service in ARNS if f":{service}:" in pattern}
                yield f"{stack} {name}", service, pattern


@pytest.mark.parametrize(("partition", "region"), PARTITIONS.items())
def test_a_parameter_takes_the_arns_of_every_partition(every_template, partition, region):
    found = list(patterns(every_template))
    assert len(found) >= 6
    for name, service, pattern in found:
        of_service = ARNS[service]
        if name == "elsewhere ConsumerPrincipals":
            of_service = "123456789012:role/consumer"
        arn = f"arn:{partition}:{service}:{'' if service == 'iam' else region}:{of_service}"
        assert re.fullmatch(pattern, arn), (name, arn)


@pytest.mark.parametrize(
    "arn", ["arn:aws1:kms:eu-west-1:123456789012:key/x", "arn:gcp:kms:eu-west-1:123456789012:key/x"]
)
def test_what_is_no_partition_of_aws_is_refused(template, arn):
    assert not re.fullmatch(template["Parameters"]["KmsKeyArn"]["AllowedPattern"], arn)


def texts(value):
    """Every string of a template's resources and outputs, wherever it is."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts(one)]
    return [text for one in value for text in texts(one)] if isinstance(value, list) else []


def test_no_template_names_a_partition_a_region_or_a_suffix(every_template):
    looked_at = 0
    for name, template in every_template.items():
        for text in texts([template["Resources"], template.get("Outputs", {})]):
            looked_at += 1
            # The policies of AWS itself are written in by SAM, for the partition that it deploys to.
            arns = re.findall(r"arn:[^:\s]*:(?!iam::aws:policy/)[^\s\"]*", text)
            assert [arn for arn in arns if not arn.startswith("arn:${AWS::Partition}:")] == [], (name, text)
            assert not re.search(r"\b[a-z]{2,4}(-[a-z]+)+-\d\b", text), (name, text)
            if "amazonaws" in text:
                assert PRINCIPAL.fullmatch(text) or text in VIA_SERVICE, (name, text)
    assert looked_at > 400


def test_a_service_is_named_as_kms_sees_it_in_every_partition(every_template):
    """KMS compares whole names, so that one name too many grants nothing."""
    named = [
        {one["Fn::Sub"] for one in condition}
        for template in every_template.values()
        for condition in conditions(template["Resources"])
    ]
    assert len(named) == 2
    assert [names for names in named if names != VIA_SERVICE] == []


def conditions(value):
    if isinstance(value, list):
        return [found for one in value for found in conditions(one)]
    if not isinstance(value, dict):
        return []
    own = [value["kms:ViaService"]] if "kms:ViaService" in value else []
    return own + [found for one in value.values() for found in conditions(one)]
