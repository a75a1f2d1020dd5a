"""Every fault, in every state of the token.

`test_matrix` plays the cells. A row is a `faults.Fault`, a column is a trigger and a state (`columns`), and the modules
`*_faults` have the rows. A `cases.Case` is one cell, in a `world.World` whose calls of AWS pass an `aws_wire.AwsWire`.
"""
