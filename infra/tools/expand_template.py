"""Expand a SAM template as CloudFormation would, without an AWS account, and print the result as JSON.

The argument is the built template, `.aws-sam/build/template.yaml`, a template that needs no build, or the output of
`sam package`, whose URLs are kept. The template of a nested stack must be expanded separately.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.translator.transform import transform

# `sam deploy` replaces these properties with the URL of the uploaded package.
_UPLOADED = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class _NoManagedPolicies:
    """Replaces the translator's requests to AWS for managed policies, because our templates do not use any."""

    def load(self) -> dict[str, str]:
        return {}


def expand(path: Path) -> dict[str, Any]:
    """Return the expanded template.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: the template is not valid SAM.
    """
    # The translator requires a Region, but the expanded template does not contain it.
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
