"""A function as a worker sees it, read from ministack's record of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.core.lambda_runtime import execution_credentials
from ministack.services import lambda_svc


@dataclass(frozen=True)
class Function:
    """Ministack's record of a function, read. No template here publishes versions of one."""

    record: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration, with the members that GetFunctionConfiguration shows."""
        config: Mapping[str, Any] = self.record["config"]
        return config

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.config["FunctionName"])

    @property
    def timeout_seconds(self) -> int:
        """How long one invocation may take."""
        return int(self.config["Timeout"])

    @property
    def log_group(self) -> str:
        """The log group of `LoggingConfig`, or Lambda's default."""
        return str(self._logging.get("LogGroup") or f"/aws/lambda/{self.name}")

    @property
    def json_logs(self) -> bool:
        """Whether the log format is JSON."""
        return self._logging.get("LogFormat") == "JSON"

    @property
    def _logging(self) -> Mapping[str, Any]:
        return self.config.get("LoggingConfig") or {}

    @property
    def code_directory(self) -> Path:
        """The code, unpacked once into a folder named by its hash that all workers share."""
        return Path(lambda_svc._provided_runtime_code_dir(self.record["code_zip"]))

    def _layer_folders(self) -> list[Path]:
        """Return the folders of libraries in the layers, of which the last one wins on Lambda."""
        archives = [lambda_svc._resolve_layer_zip(layer) for layer in self.config.get("Layers") or ()]
        return [Path(lambda_svc._provided_runtime_code_dir(archive), "python") for archive in reversed(archives)]

    def environment(self) -> dict[str, str]:
        """Return the variables that Lambda documents, with the role's credentials, and the function's own.

        The endpoint of this AWS is added, by which boto3 finds it. Nothing comes from the host.
        """
        own = (self.config.get("Environment") or {}).get("Variables") or {}
        region = self.config["FunctionArn"].split(":")[3]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, self._layer_folders())),
            "AWS_ENDPOINT_URL": f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}",
            **own,
            # From here on a function's own variables do not count: Lambda refuses them.
            **execution_credentials(dict(self.config)),
            "_HANDLER": self.config["Handler"],
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.config['Runtime']}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.config["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.config["Version"],
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON" if self.json_logs else "Text",
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group,
            "AWS_REGION": region,
            "LAMBDA_TASK_ROOT": str(self.code_directory),
        }
