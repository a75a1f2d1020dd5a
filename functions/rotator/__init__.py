"""The core that the functions share: puts a new Talend Cloud token in the place of the published one.

Dependencies point one way: handlers -> bootstrap -> adapters and service -> pure policy and ports -> token document.
"""
