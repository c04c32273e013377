"""A device: publishes a second of readings, and shows the message that Millrace refused.

pip install awsiotsdk
npm start -- --no-simulator
python3 examples/device/main.py [SENSOR [HOST [PORT]]]
Against AWS IoT Core: DEVICE_CERT=… DEVICE_KEY=… python3 examples/device/main.py SENSOR ENDPOINT
"""

import json
import math
import os
import queue
import sys
import time

from awscrt import mqtt5
from awsiot import mqtt5_client_builder

TIMEOUT_S = 30

sensor, host, port = (*sys.argv[1:], *["my-device", "127.0.0.1", "1883"][len(sys.argv) - 1 :])
cert, key = os.environ.get("DEVICE_CERT"), os.environ.get("DEVICE_KEY")
prefix = os.environ.get("MQTT_PREFIX", "")

connections, refused = queue.Queue(), queue.Queue()
options = mqtt5.ClientOptions(
    host_name=host,
    port=8883 if cert and key else int(port),
    connect_options=mqtt5.ConnectPacket(client_id=sensor, keep_alive_interval_sec=60),
    on_lifecycle_event_connection_success_fn=lambda _: connections.put(None),
    on_lifecycle_event_connection_failure_fn=lambda failure: connections.put(failure.exception),
    on_publish_callback_fn=lambda message: refused.put(message.publish_packet.payload.decode()),
)
if cert and key:
    client = mqtt5_client_builder.mtls_from_path(cert, key, endpoint=host, client_options=options)
else:
    client = mqtt5.Client(options)
client.start()
failure = connections.get(timeout=TIMEOUT_S)
if failure is not None:
    sys.exit(f"{host} can't be reached: {failure}")

subscription = mqtt5.Subscription(f"{prefix}rejected/{sensor}", qos=mqtt5.QoS.AT_MOST_ONCE)
client.subscribe(mqtt5.SubscribePacket([subscription])).result(TIMEOUT_S)


def publish(message):
    """Returns with the acknowledgement: from then on Millrace has the message, whatever happens."""
    packet = mqtt5.PublishPacket(
        topic=f"{prefix}imu/{sensor}",
        qos=mqtt5.QoS.AT_LEAST_ONCE,
        content_type="application/json",
        payload=json.dumps(message),
    )
    client.publish(packet).result(TIMEOUT_S)


def now():
    """Epoch ms."""
    return time.time_ns() // 1_000_000


boot = format(now(), "x")

# In thousandths of g, where m/s² are expected.
publish({"seq": 0, "boot": boot, "t": now(), "hz": 100, "samples": [[0, 0, 1000, 0, 0, 0]]})
print("refused:", refused.get(timeout=TIMEOUT_S))

for seq in range(1, 11):
    t = now()
    samples = [[math.sin((t + i * 10) / 160), 0, 9.81, 0, 0, 0.5] for i in range(10)]
    publish({"seq": seq, "boot": boot, "t": t, "hz": 100, "samples": samples})
    time.sleep(0.1)
print("published: 10 messages")
client.stop()
