"""A stack's life: deployed again, and deleted, without harm to a live token."""

from demo.deployment import deploy


def test_deploying_again_leaves_the_live_token_and_deletion_leaves_both_secrets(deployment, template):
    deployment.invoke({})
    before = deployment.secrets.describe_secret(SecretId=deployment["TokenSecretArn"])["VersionIdsToStages"]
    deploy(
        deployment.aws,
        template,
        {"TalendApiUrl": deployment.talend.url, "MinimumTokenLifeSeconds": "2", "ScheduleExpression": "rate(1 day)"},
    )
    after = deployment.secrets.describe_secret(SecretId=deployment["TokenSecretArn"])["VersionIdsToStages"]
    assert before.keys() <= after.keys()
    assert deployment.invoke({})["outcome"] == "rotated"

    published = deployment.published()
    deployment.run("sam", "delete", "--stack-name", "talend-token", "--no-prompts")
    assert deployment.published()["VersionId"] == published["VersionId"]
    assert deployment.secrets.get_secret_value(SecretId=deployment["CredentialsSecretArn"])["SecretString"]
