"""What a worker prints, as a log stream of CloudWatch Logs; with the platform's own lines, as text or JSON.

The shapes are those of the Lambda developer guide, "Log and monitor Python Lambda functions" and "Lambda Telemetry API
event schema reference".
"""

import datetime
import json
import logging
import math
import time
import uuid
from typing import Any

from ministack.services import cloudwatch_logs

from local_aws.function import Function
from local_aws.permissions import role_allows

TAIL_BYTES = 4096


class FunctionLog:
    """The log stream of one worker."""

    def __init__(self, function: Function) -> None:
        self._function = function
        self._partial = b""
        self._lines: list[str] = []
        today = datetime.datetime.now(datetime.UTC).strftime("%Y/%m/%d")
        name = function.name if function.has_own_log_group else ""
        self.stream = f"{today}/{name}[{function.version}]{uuid.uuid4().hex}"
        self._open()

    def _open(self) -> None:
        """Create the stream with the rights of the function's role; without them there are no logs, as on AWS."""
        group = self._function.log_group
        arn = f"{self._function.arn.replace(':lambda:', ':logs:').split(':function:')[0]}:log-group:{group}"
        if group not in cloudwatch_logs._log_groups:
            # This is the resource that a refusal of AWS shows, and what `log-group:NAME:*` in a policy covers.
            if not role_allows(self._function.role, "logs:CreateLogGroup", f"{arn}:log-stream:"):
                return
            cloudwatch_logs._create_log_group({"logGroupName": group})
        stream_arn = f"{arn}:log-stream:{self.stream}"
        if not all(
            role_allows(self._function.role, f"logs:{action}", stream_arn)
            for action in ("CreateLogStream", "PutLogEvents")
        ):
            logging.warning("No logs of %s: its role may not write to %s", self._function.name, group)
            return
        cloudwatch_logs._create_log_stream({"logGroupName": group, "logStreamName": self.stream})

    def begin(self) -> None:
        """Collect lines for a new invocation."""
        self._lines = []

    def end(self) -> str:
        """The lines since `begin`, together."""
        return "\n".join(self._lines)

    def feed(self, output: bytes) -> None:
        """Take what the process has printed; a line counts when it is complete."""
        *lines, self._partial = (self._partial + output).split(b"\n")
        # The runtime joins the lines of one message by carriage returns, so that they stay one event.
        self._write([line.decode(errors="replace").replace("\r", "\n") for line in lines])

    def start(self, request_id: str) -> None:
        """Write the platform's line before an invocation."""
        version = self._function.version
        self._platform(
            "start",
            {"requestId": request_id, "version": version},
            [f"START RequestId: {request_id} Version: {version}"],
        )

    def failure(self, request_id: str, message: str) -> None:
        """Write the line of a worker that ended or ran out of time; in JSON the report says it."""
        if not self._function.json_logs:
            self._write([f"{_now()} {request_id} {message}"])

    def report(
        self,
        request_id: str,
        *,
        duration_ms: float,
        init_ms: float | None,
        memory_mb: int,
        status: str,
        error_type: str = "",
    ) -> None:
        """Write the platform's lines after an invocation. The type is that of an error of the platform."""
        if self._partial:
            self.feed(b"\n")
        metrics: dict[str, Any] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": math.ceil(duration_ms + (init_ms or 0)),
            "memorySizeMB": self._function.memory_mb,
            "maxMemoryUsedMB": memory_mb,
        }
        text = (
            f"REPORT RequestId: {request_id}\tDuration: {duration_ms:.2f} ms\t"
            f"Billed Duration: {metrics['billedDurationMs']} ms\tMemory Size: {self._function.memory_mb} MB\t"
            f"Max Memory Used: {memory_mb} MB"
        )
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
            text += f"\tInit Duration: {init_ms:.2f} ms"
        if status != "success":
            text += f"\tStatus: {status}"
        record = {"requestId": request_id, "metrics": metrics, "status": status}
        if error_type:
            record["errorType"] = error_type
            text += f"\tError Type: {error_type}"
        self._platform("report", record, [f"END RequestId: {request_id}", text])

    def _platform(self, kind: str, record: dict[str, Any], text: list[str]) -> None:
        if not self._function.logs_platform_events:
            return
        if self._function.json_logs:
            text = [json.dumps({"time": _now(), "type": f"platform.{kind}", "record": record})]
        self._write(text)

    def _write(self, lines: list[str]) -> None:
        self._lines += lines
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in lines]
        if events:
            # Beside the server's own lines, as a stream ends with the server.
            logging.info("%s %s\n%s", self._function.name, self.stream, "\n".join(lines))
            cloudwatch_logs._put_log_events(
                {"logGroupName": self._function.log_group, "logStreamName": self.stream, "logEvents": events}
            )


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
