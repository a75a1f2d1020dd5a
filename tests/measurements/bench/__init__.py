"""What the consumer's client costs and withstands, beside what users could take in its place.

`make bench` measures; every figure stands beside a floor or a peer that was measured in the same run.
"""
