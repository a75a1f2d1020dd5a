"""The ports over AWS and Talend, by boto3, Powertools and requests."""
