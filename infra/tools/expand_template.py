"""Expand a built SAM template as CloudFormation would, without an AWS account.

Prints the CloudFormation template as JSON. Give the built template, `.aws-sam/build/template.yaml`, one that needs no
build, or what `sam package` made, whose addresses are kept. A nested stack's template is a file of its own.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

# The property that `sam deploy` replaces by where it has uploaded what was built.
_UPLOADED = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class _NoManagedPolicies:
    """The translator asks AWS for the ARNs of managed policies named in a template; ours names none."""

    def load(self) -> dict[str, str]:
        return {}


def expand(path: Path) -> dict[str, Any]:
    """The expanded template.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: the template is not valid SAM.
    """
    # The translator wants a Region, and names it nowhere in what it makes of this template.
    os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-1")
    template = yaml_parse(path.read_text())
    for resource in template["Resources"].values():
        source = _UPLOADED.get(resource["Type"])
        if source and not resource["Properties"].get(source, "").startswith("s3://"):
            resource["Properties"][source] = "s3://bucket/key"
    expanded: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    return expanded


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("template", type=Path)
    print(json.dumps(expand(parser.parse_args().template), indent=2, default=str))
