"""A log stream of CloudWatch Logs with a worker's output, and in the JSON format with the platform's own lines.

The shapes are those of the Lambda developer guide, "Log and monitor Python Lambda functions" and "Lambda Telemetry API
event schema reference".
"""

import datetime
import json
import logging
import time
import uuid
from typing import Any

from ministack.services import cloudwatch_logs

from local_aws.function import Function
from local_aws.policies import role_allows


class FunctionLog:
    """The log stream of one worker."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._partial = b""
        self._lines: list[str] = []
        now = datetime.datetime.now(datetime.UTC)
        self.stream = f"{now:%Y/%m/%d}/{function.name}[{function.config['Version']}]{uuid.uuid4().hex}"
        self._open()

    def _open(self) -> None:
        """Create the stream with the rights of the function's role; without them there are no logs, as on AWS."""
        group, role = self._function.log_group, self._function.config["Role"]
        account = self._function.config["FunctionArn"].replace(":lambda:", ":logs:").split(":function:")[0]
        arn = f"{account}:log-group:{group}:log-stream:"
        # This is the resource that a refusal of AWS shows, and what `log-group:NAME:*` in a policy covers.
        if group not in cloudwatch_logs._log_groups and role_allows(role, "logs:CreateLogGroup", arn):
            cloudwatch_logs._create_log_group({"logGroupName": group})
        actions = ("logs:CreateLogStream", "logs:PutLogEvents")
        if all(role_allows(role, action, arn + self.stream) for action in actions):
            cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": self.stream})
        else:
            logging.warning("No logs of %s: its role may not write to %s", self._function.name, group)

    def begin(self) -> None:
        """Collect lines for a new invocation."""
        self._lines = []

    def end(self) -> str:
        """Return the lines since `begin`, together."""
        return "\n".join(self._lines)

    def feed(self, output: bytes) -> None:
        """Take output of the process. A line counts when it is complete."""
        *lines, self._partial = (self._partial + output).split(b"\n")
        # The runtime joins the lines of one message by carriage returns, so that they stay one event.
        self._write([line.decode(errors="replace").replace("\r", "\n") for line in lines])

    def platform(self, kind: str, record: dict[str, Any]) -> None:
        """Write a line of the platform."""
        if self._partial:
            self.feed(b"\n")
        if self._function.json_logs:
            now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            self._write([json.dumps({"time": now, "type": f"platform.{kind}", "record": record})])

    def _write(self, lines: list[str]) -> None:
        self._lines += lines
        if lines:
            # Beside the server's own lines, as a stream ends with the server.
            logging.info("%s %s\n%s", self._function.name, self.stream, "\n".join(lines))
            events = [{"timestamp": int(time.time() * 1000), "message": line} for line in lines]
            cloudwatch_logs._put_log_events(
                {"logGroupName": self._function.log_group, "logStreamName": self.stream, "logEvents": events}
            )
