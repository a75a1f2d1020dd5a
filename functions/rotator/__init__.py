"""The core of both functions: replaces the published Talend Cloud token with a new one.

Dependencies point one way: handlers -> bootstrap -> adapters and service -> ports -> domain -> talend_token.
"""
