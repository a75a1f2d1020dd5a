"""The network and the permissions boundary that a company's account adds to a deployment."""

import json

from local_aws import LocalAWS


def company_parameters(aws: LocalAWS) -> dict[str, str]:
    """Create a network, and a boundary with all that the functions need, and return the parameters for them."""
    ec2, iam = aws.client("ec2"), aws.client("iam")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="talend", Description="out")["GroupId"]
    allowed = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=document)["Policy"]["Arn"]
    return {"SubnetIds": subnet, "SecurityGroupIds": group, "PermissionsBoundaryArn": boundary}
