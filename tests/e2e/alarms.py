"""The alarms of a deployed stack: their states, and what they notify their topic of."""

from demo.deployment import resources
from local_aws.listener import Listener
from local_aws.waiting import eventually


def alarm_states(deployment, stack_name="talend-token"):
    """The state of every alarm of a stack, by its logical id."""
    names = {
        one["PhysicalResourceId"]: one["LogicalResourceId"]
        for one in resources(deployment.aws, stack_name)
        if one["ResourceType"] == "AWS::CloudWatch::Alarm"
    }
    found = deployment.aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return {names[alarm["AlarmName"]]: alarm["StateValue"] for alarm in found}


class Alarm:
    """One alarm of the stack, by its logical id. It ends before a test begins, whatever other tests have done."""

    def __init__(self, deployment, logical_id):
        self._cloudwatch = deployment.aws.client("cloudwatch")
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate()
        names = [alarm["AlarmName"] for page in pages for alarm in page["MetricAlarms"]]
        (self.name,) = [name for name in names if f"-{logical_id}-" in name]
        self.ends()

    @property
    def state(self):
        (alarm,) = self._cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return alarm["StateValue"]

    def fires(self, meanwhile=lambda: None):
        """Wait until it is on; what the test does meanwhile is done again and again."""

        def look():
            meanwhile()
            return self.state == "ALARM"

        eventually(look, 40)

    def ends(self):
        eventually(lambda: self.state == "OK", 40)


class Watch:
    """What the alarms of the stack notify their topic of, from here on."""

    def __init__(self, deployment):
        self._listener = Listener(deployment.aws)
        raw = {"RawMessageDelivery": "true"}
        deployment.aws.client("sns").subscribe(
            TopicArn=deployment["AlarmTopicArn"], Protocol="sqs", Endpoint=self._listener.arn, Attributes=raw
        )

    def heard(self, number):
        """The logical ids of the alarms and the states that they have got into, of so many notices at the least."""
        notices = self._listener.heard(number)
        return [(notice["AlarmName"].split("-")[-2], notice["NewStateValue"]) for notice in notices]
