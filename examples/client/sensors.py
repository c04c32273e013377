"""Reads a sensor by REST: what it sent, what was recognised, and what was refused. Needs Python alone.

python3 examples/client/sensors.py [SENSOR [API]]
"""

import json
import sys
import urllib.error
import urllib.parse
import urllib.request

sensor, api = (*sys.argv[1:], *["my-device", "http://127.0.0.1:8000"][len(sys.argv) - 1 :])


def get(path, **query):
    """An answer as a dict; a problem (RFC 9457) ends the program with what is wrong."""
    url = f"{api}{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        sys.exit(json.load(error)["detail"])


def items(path, **query):
    """All items of a list, page by page."""
    cursor = {}
    while True:
        page = get(path, limit=1000, **query, **cursor)
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


name = urllib.parse.quote(sensor, safe="")
windows = list(items(f"/sensors/{name}/windows"))
print("sensor:", json.dumps(get(f"/sensors/{name}")))
print("readings in windows of a second:", sum(w["count"] for w in windows if w["operator"] == "tumbling-1000"))
for stretch in items(f"/sensors/{name}/activity"):
    print("activity:", stretch["start"], stretch["end"], stretch["label"])
for letter in items("/dead-letters", sensorId=sensor):
    print("refused:", letter["code"], "-", letter["advice"])
