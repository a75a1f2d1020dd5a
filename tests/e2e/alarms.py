"""The alarms of a deployed stack: their states, and the notices that they send to their topic."""

from demo.deployment import resources
from local_aws.listener import Listener
from local_aws.waiting import eventually


def alarm_states(deployment):
    """Return the state of every alarm of the stack by its logical id."""
    names = {
        one["PhysicalResourceId"]: one["LogicalResourceId"]
        for one in resources(deployment.aws, deployment.stack.name)
        if one["ResourceType"] == "AWS::CloudWatch::Alarm"
    }
    found = deployment.aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return {names[alarm["AlarmName"]]: alarm["StateValue"] for alarm in found}


class Alarm:
    """One alarm of the stack, by its logical id. Waits first until an alarm that another test caused has ended."""

    def __init__(self, deployment, logical_id):
        self._cloudwatch = deployment.aws.client("cloudwatch")
        self.name = deployment.resource(logical_id)
        self.ends()

    def _described(self):
        (alarm,) = self._cloudwatch.describe_alarms(AlarmNames=[self.name])["MetricAlarms"]
        return alarm

    @property
    def state(self):
        return self._described()["StateValue"]

    @property
    def since(self):
        return self._described()["StateUpdatedTimestamp"].timestamp()

    def fires(self, meanwhile=lambda: None):
        """Wait until it fires, and call `meanwhile` again and again."""

        def look():
            meanwhile()
            return self.state == "ALARM"

        eventually(look)

    def ends(self):
        eventually(lambda: self.state == "OK")


class Watch:
    """The notices that the stack's alarms send to their topic from here on."""

    def __init__(self, deployment):
        self._listener = Listener(deployment.aws)
        raw = {"RawMessageDelivery": "true"}
        deployment.aws.client("sns").subscribe(
            TopicArn=deployment["AlarmTopicArn"], Protocol="sqs", Endpoint=self._listener.arn, Attributes=raw
        )

    def heard(self, number):
        """Wait for so many notices; return the logical id and the new state of each."""
        notices = self._listener.heard(number)
        return [(notice["AlarmName"].split("-")[-2], notice["NewStateValue"]) for notice in notices]
