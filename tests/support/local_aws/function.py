"""What a worker needs to know of the function that it runs, read once from ministack's record."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ministack.core.lambda_runtime import execution_credentials
from ministack.services import lambda_svc


@dataclass(frozen=True)
class Function:
    """One version of one function: ministack's record of it, read."""

    record: Mapping[str, Any]

    @property
    def config(self) -> Mapping[str, Any]:
        """The configuration, with the members that GetFunctionConfiguration shows."""
        config: Mapping[str, Any] = self.record["config"]
        return config

    @property
    def code_directory(self) -> Path:
        """The code, unpacked once into a folder named by its hash that all workers share."""
        return Path(lambda_svc._provided_runtime_code_dir(self.record["code_zip"]))

    @property
    def layer_directories(self) -> list[Path]:
        """The layers, unpacked likewise; Lambda unpacks them over each other, so what comes later wins."""
        archives = [lambda_svc._resolve_layer_zip(layer) for layer in self.config.get("Layers") or ()]
        return [Path(lambda_svc._provided_runtime_code_dir(archive)) for archive in reversed(archives) if archive]

    @property
    def name(self) -> str:
        """The function's name."""
        return str(self.config["FunctionName"])

    @property
    def version(self) -> str:
        """`$LATEST` or a number."""
        return str(self.config.get("Version") or "$LATEST")

    @property
    def arn(self) -> str:
        """The ARN without a qualifier."""
        return ":".join(self.config["FunctionArn"].split(":")[:7])

    @property
    def key(self) -> str:
        """What two records must share for one worker to serve both."""
        return f"{self.arn}:{self.version}"

    @property
    def handler(self) -> str:
        """`module.function`."""
        return str(self.config["Handler"])

    @property
    def timeout_seconds(self) -> int:
        """How long one invocation may take."""
        return int(self.config.get("Timeout") or 3)

    @property
    def memory_mb(self) -> int:
        """The memory setting; nothing here enforces it."""
        return int(self.config.get("MemorySize") or 128)

    @property
    def role(self) -> str:
        """The ARN of the execution role."""
        return str(self.config["Role"])

    @property
    def log_group(self) -> str:
        """The log group of `LoggingConfig`, or Lambda's default."""
        return str(self._logging.get("LogGroup") or f"/aws/lambda/{self.name}")

    @property
    def has_own_log_group(self) -> bool:
        """Whether `LoggingConfig` names another log group, which then may be shared with other functions."""
        return self.log_group != f"/aws/lambda/{self.name}"

    @property
    def json_logs(self) -> bool:
        """Whether the log format is JSON."""
        return self._logging.get("LogFormat") == "JSON"

    @property
    def logs_platform_events(self) -> bool:
        """Whether START and REPORT are wanted: in JSON, not above the system log level INFO."""
        return not self.json_logs or self._logging.get("SystemLogLevel", "INFO") in ("INFO", "DEBUG")

    @property
    def _logging(self) -> Mapping[str, Any]:
        return self.config.get("LoggingConfig") or {}

    def environment(self) -> dict[str, str]:
        """The variables that Lambda documents, with the credentials of the function's role, and the function's own.

        The endpoint of this AWS is added, by which boto3 finds it. Nothing comes from the host.
        """
        own = (self.config.get("Environment") or {}).get("Variables") or {}
        opt_python = [str(layer / part) for layer in self.layer_directories for part in self._library_folders()]
        own_python = [own["PYTHONPATH"]] if "PYTHONPATH" in own else []
        level = self._logging.get("ApplicationLogLevel") if self.json_logs else None
        region = self.arn.split(":")[3]
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "AWS_ENDPOINT_URL": f"http://{os.environ['MINISTACK_HOST']}:{os.environ['GATEWAY_PORT']}",
            **{name: str(value) for name, value in own.items()},
            **({"PYTHONPATH": os.pathsep.join([*opt_python, *own_python])} if opt_python else {}),
            # From here on a function's own variables do not count: Lambda refuses them.
            **({"AWS_LAMBDA_LOG_LEVEL": level} if level else {}),
            **execution_credentials(dict(self.config) | {"FunctionArn": self.arn}),
            "_HANDLER": self.handler,
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{self.config['Runtime']}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_VERSION": self.version,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON" if self.json_logs else "Text",
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group,
            "AWS_REGION": region,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "LAMBDA_TASK_ROOT": str(self.code_directory),
        }

    def _library_folders(self) -> tuple[str, ...]:
        return f"python/lib/{self.config['Runtime']}/site-packages", "python"
