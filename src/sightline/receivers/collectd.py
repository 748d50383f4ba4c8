"""collectd's write_http plugin in JSON: a value list becomes a point for each of its values.

The metric is `plugin.type`, with the data source's name behind it unless that is `value`; the instances are dimensions.
"""

from __future__ import annotations

from starlette.responses import Response

from sightline.receivers.acceptance import Refused
from sightline.receivers.push import Checked, Push, only_objects, read_json


def _check(body: bytes) -> Checked:
    lists = read_json(body, list, "an array of value lists")
    only_objects(lists, "the body")
    records = 0
    for one in lists:
        sizes = {len(one[name]) if isinstance(one.get(name), list) else -1 for name in ("values", "dsnames", "dstypes")}
        if len(sizes) != 1 or -1 in sizes:
            raise Refused(400, 'every value list wants "values", "dsnames" and "dstypes" of the same length')
        records += len(one["values"])
    return Checked.whole(body, records)


VALUES = Push(("/collectd",), "collectd", "collectd", "metric", _check, lambda records: Response(status_code=200))
