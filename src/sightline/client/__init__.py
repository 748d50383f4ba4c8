"""The Python API for programs and notebooks: ask a running server, get Arrow tables or data frames.

    from sightline.client import Client

    client = Client("http://127.0.0.1:8000", token="sl_api_...")
    table = client.search("index=main error | stats count by host", earliest="-1h")
    frame = client.search("index=main").to_pandas()

`_time` is seconds since the epoch; a field with several values is a list; a missing value is null. Errors are those of
`sightline.errors`: SearchError with a position for a search that is wrong, UserError, NotFound, EnvironmentTrouble.
"""

from sightline.client.client import Client, Job

__all__ = ["Client", "Job"]
