"""A wine merchant with a model in production, instrumented with OpenTelemetry.

Bottles arrive with a laboratory's readings. A gateway takes them in, a feature service prepares them, and a model
service says which grower's account (`user`) a bottle belongs to. The truth is learned a little later, and a batch job
writes prediction and truth together, so that models can be trained and judged. Nothing in here knows Sightline: the
services speak OTLP, and the batch job speaks Splunk HEC.

`python -m shop --help` runs everything. `scenario.py` says what goes wrong, and when.
"""
