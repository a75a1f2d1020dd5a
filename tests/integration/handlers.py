"""Invokes the functions as Lambda does."""

import rotate

CREDENTIALS, TOKEN = "talend-token/default/credentials", "talend-token/default/token"


class Context:
    function_name = "function"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e8deadbeef"

    def get_remaining_time_in_millis(self):
        return 60_000


def invoke(event, function=rotate):
    return function.handler(event, Context())
