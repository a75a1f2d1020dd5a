"""The published Talend Cloud token, as consumers on AWS see it."""

from talend_token.document import InvalidTokenDocument, TokenDocument
from talend_token.sensitive import Sensitive

__all__ = ["InvalidTokenDocument", "Sensitive", "TokenDocument"]
