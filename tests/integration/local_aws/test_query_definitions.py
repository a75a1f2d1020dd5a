"""Saved queries of CloudWatch Logs Insights on the local AWS. Quotes are from the API reference of CloudWatch Logs."""

import uuid

import pytest
from botocore.exceptions import ClientError

from local_aws import LocalAWS

pytest_plugins = ["local_aws.fixtures"]


def test_a_query_is_saved_changed_and_deleted(local_aws: LocalAWS) -> None:
    """PutQueryDefinition: "To update a query definition, specify its queryDefinitionId"."""
    logs, name = local_aws.client("logs"), f"runbook/{uuid.uuid4().hex}"
    identifier = logs.put_query_definition(name=name, queryString="fields @message")["queryDefinitionId"]

    def saved() -> list[tuple[str, str]]:
        found = logs.describe_query_definitions(queryDefinitionNamePrefix=name)["queryDefinitions"]
        return [(query["queryDefinitionId"], query["queryString"]) for query in found]

    assert saved() == [(identifier, "fields @message")]
    logs.put_query_definition(name=name, queryDefinitionId=identifier, queryString="fields account")
    assert saved() == [(identifier, "fields account")]
    assert logs.delete_query_definition(queryDefinitionId=identifier)["success"]
    assert saved() == []


def test_a_missing_query_can_be_neither_changed_nor_deleted(local_aws: LocalAWS) -> None:
    """Both operations: ResourceNotFoundException."""
    logs, missing = local_aws.client("logs"), str(uuid.uuid4())
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.put_query_definition(name="x", queryString="x", queryDefinitionId=missing)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_query_definition(queryDefinitionId=missing)


def test_queries_are_listed_by_the_beginning_of_their_name(local_aws: LocalAWS) -> None:
    """DescribeQueryDefinitions, queryDefinitionNamePrefix."""
    logs, prefix = local_aws.client("logs"), uuid.uuid4().hex
    for name in (f"{prefix}/b", f"{prefix}/a", f"other/{prefix}"):
        logs.put_query_definition(name=name, queryString="fields @message")
    found = logs.describe_query_definitions(queryDefinitionNamePrefix=prefix)["queryDefinitions"]
    assert [query["name"] for query in found] == [f"{prefix}/a", f"{prefix}/b"]


def test_a_reset_forgets_them(fresh_local_aws: LocalAWS) -> None:
    logs = fresh_local_aws.client("logs")
    logs.put_query_definition(name="runbook", queryString="fields @message")
    fresh_local_aws.reset()
    assert logs.describe_query_definitions()["queryDefinitions"] == []
