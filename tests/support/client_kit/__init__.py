"""The conformance kit: scenarios as data, played with any client that gets its tokens from talend-token.

`make kit CLIENT="node my-client.mjs"` plays them; docs/other-languages.md says what a client has to do for that. The
kit needs nothing but Python's standard library.
"""
