"""The deployed `rotate` function, with the event of its schedule."""

from types import SimpleNamespace

from rotate import handler

# The part of Lambda's context that the handler and Powertools use.
CONTEXT = SimpleNamespace(
    function_name="talend-token-rotate",
    memory_limit_in_mb=256,
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:talend-token-rotate",
    aws_request_id="7e6b1e4c-0d0c-4cf4-9a45-0d4a3a1c1f4e",
    get_remaining_time_in_millis=lambda: 60_000,
)


def rotate() -> None:
    answer = handler({"trigger": "schedule", "account": "default"}, CONTEXT)  # type: ignore[arg-type]
    if answer["outcome"] != "rotated":
        raise RuntimeError(f"the rotation ended with {answer['outcome']}")
