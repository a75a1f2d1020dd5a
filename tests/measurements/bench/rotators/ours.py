"""The deployed `rotate` function, with the event of its schedule."""

from rotate import handler


class Context:
    """What the handler and Powertools ask of Lambda's context."""

    function_name = "talend-token-rotate"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:talend-token-rotate"
    aws_request_id = "7e6b1e4c-0d0c-4cf4-9a45-0d4a3a1c1f4e"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


def rotate() -> None:
    answer = handler({"trigger": "schedule", "account": "default"}, Context())  # type: ignore[arg-type]
    if answer["outcome"] != "rotated":
        raise RuntimeError(f"the rotation ended with {answer['outcome']}")
