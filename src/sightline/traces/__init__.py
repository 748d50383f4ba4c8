"""Traces: trees of spans, critical path, self time, root-cause errors, the list of traces and the map of services.

`tree.py` is pure: arrays in, arrays out, no store. `queries.py` asks the store. Times inside are whole nanoseconds.
"""
