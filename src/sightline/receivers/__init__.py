"""The way in: one module per protocol, and `front`, which runs them all in the process that listens.

A receiver authenticates, checks a request as a whole, hands its bytes to the journal, and answers in the protocol's
own codes. Nothing here imports the engine.
"""
