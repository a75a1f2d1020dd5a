"""The packaged template, and the examples of CDK and Terraform in docs/companies.md that take it.

Only `make check` runs this: CDK alone takes longer than many other tests together.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from local_aws import ENVIRONMENTS, LocalAWS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "companies.md").read_text()
CDK = ENVIRONMENTS / "cdk" / "bin" / "python"

pytestmark = pytest.mark.skipif("CDK" not in os.environ, reason="`make check` installs CDK, and runs this")
(COMMAND,) = re.findall(r"^make package .*$", PAGE, re.MULTILINE)


def example(language):
    (text,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return text


@pytest.fixture(scope="module")
def packaged():
    """Return the packaged template, and the uploaded files by name."""
    with LocalAWS() as aws:
        files = aws.client("s3")
        files.create_bucket(Bucket="my-bucket", CreateBucketConfiguration={"LocationConstraint": aws.region})
        environment = aws.subprocess_environment()
        made = subprocess.run(
            ["sh", "-c", COMMAND], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr
        uploaded = {one["Key"] for one in files.list_objects_v2(Bucket="my-bucket")["Contents"]}
        yield json.loads((ROOT / "dist" / "template.json").read_text()), uploaded


def test_the_packaged_template_names_what_was_uploaded(packaged):
    template, uploaded = packaged
    text = json.dumps(template)
    named = set(re.findall(r'"S3Key": "([^"]+)"', text)) | set(re.findall(r"my-bucket/([^\"]+\.template)", text))
    # One zip of both functions, the layer's, and two nested templates.
    assert len(named) == 4
    assert named == uploaded


def test_the_packaged_template_is_plain_cloudformation(packaged):
    template, _ = packaged
    assert "Transform" not in template
    assert not [found for found in template["Resources"].values() if found["Type"].startswith("AWS::Serverless")]
    # The longest that Terraform and CloudFormation take without a bucket.
    assert len((ROOT / "dist" / "template.json").read_bytes()) <= 51_200


@pytest.fixture(scope="module")
def synthesized(packaged, tmp_path_factory):  # noqa: ARG001 (it is the file that the example reads)
    """Return what the example makes of the packaged template."""
    folder = tmp_path_factory.mktemp("cdk")
    environment = os.environ | {
        "PATH": f"{ENVIRONMENTS / 'node' / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "CDK_OUTDIR": str(folder / "out"),
    }
    command = [CDK, "-c", example("python")]
    made = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return json.loads((folder / "out" / "talend-token.template.json").read_text())


def test_cdk_makes_our_template_and_the_proxy_of_its_example(packaged, synthesized):
    template, _ = packaged
    for name in ("RotateFunction", "RenewFunction"):
        variables = synthesized["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables.pop("HTTPS_PROXY") == "http://proxy.example.com:3128"
    # CDK's own, which looks at its bootstrap stack.
    del synthesized["Parameters"]["BootstrapVersion"], synthesized["Rules"]["CheckBootstrapVersion"]
    for member in ("Parameters", "Rules", "Conditions", "Resources", "Outputs"):
        assert synthesized[member] == template[member]


def test_the_terraform_example_is_for_our_template(packaged):
    template, _ = packaged
    parse = "import hcl2, json, sys; print(json.dumps(hcl2.loads(sys.stdin.read())))"
    read = subprocess.run([CDK, "-c", parse], input=example("hcl"), capture_output=True, text=True, check=True)
    text = read.stdout.replace('\\"', "")
    (resource,) = json.loads(text)["resource"]
    (stack,) = resource["aws_cloudformation_stack"].values()
    assert stack["template_body"] == "${file(dist/template.json)}"
    assert stack["capabilities"] == ["CAPABILITY_IAM"]
    for name, value in stack["parameters"].items():
        assert re.fullmatch(template["Parameters"][name]["AllowedPattern"], value)
