import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { LOOPBACK } from "../../config/local.ts";
import { MQTT_SHARE_GROUP } from "../../domain/names.ts";
import { probePort } from "../processes/ports.ts";
import type { ServerDefinition, ServerPorts } from "./definition.ts";

/** ActiveMQ Artemis as an MQTT 5 broker. It has shared subscriptions; sessions and messages survive `kill -9`. */
export const mqtt: ServerDefinition = {
  name: "mqtt",
  title: "MQTT broker (ActiveMQ Artemis)",
  ports: ["mqtt"],
  mainClass: "ArtemisServer",
  moreJars: [],
  javaOptions: ["-Xmx256m", "-Xms32m", "-Xmn16m", "-XX:+UseSerialGC"],
  prepare(folder, ports) {
    const file = join(folder, "broker.xml");
    writeFileSync(file, brokerXml(folder, ports.mqtt));
    return [file, MQTT_SHARE_GROUP];
  },
  probe: (ports) => probePort(ports.mqtt),
};

export function mqttUrl(ports: Pick<ServerPorts, "mqtt">): string {
  return `mqtt://${LOOPBACK}:${ports.mqtt}`;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}

/**
 * The broker's configuration:
 *
 * - Durability: a message is acknowledged when it is in the memory-mapped journal, which survives the process.
 * - Latency: the journal has no buffer. A write is a copy into mapped memory, and nothing is gained by collecting
 *   several. The default buffer is written every 3 ms, and every message waits for it.
 * - Threads: as many as work on two cores. Artemis starts up to 30, and three per core for connections.
 * - Memory: queues that do not fit go to disk.
 * - Disk: the broker refuses messages when less than 200 MB are free. The default is 90 % in use, as on many laptops.
 */
function brokerXml(folder: string, port: number): string {
  const directory = (name: string): string => escapeXml(join(folder, name));
  const parameters = "protocols=MQTT;tcpSendBufferSize=1048576;tcpReceiveBufferSize=1048576;remotingThreads=2";
  return `<?xml version="1.0" encoding="UTF-8"?>
<configuration xmlns="urn:activemq">
  <core xmlns="urn:activemq:core">
    <name>millrace</name>
    <security-enabled>false</security-enabled>
    <persistence-enabled>true</persistence-enabled>
    <bindings-directory>${directory("bindings")}</bindings-directory>
    <journal-directory>${directory("journal")}</journal-directory>
    <large-messages-directory>${directory("large-messages")}</large-messages-directory>
    <paging-directory>${directory("paging")}</paging-directory>
    <journal-type>MAPPED</journal-type>
    <journal-datasync>false</journal-datasync>
    <journal-buffer-timeout>0</journal-buffer-timeout>
    <journal-file-size>10M</journal-file-size>
    <thread-pool-max-size>8</thread-pool-max-size>
    <scheduled-thread-pool-max-size>2</scheduled-thread-pool-max-size>
    <global-max-size>100M</global-max-size>
    <max-disk-usage>-1</max-disk-usage>
    <min-disk-free>200M</min-disk-free>
    <acceptors>
      <acceptor name="mqtt">tcp://${LOOPBACK}:${port}?${parameters}</acceptor>
    </acceptors>
    <address-settings>
      <address-setting match="#">
        <address-full-policy>PAGE</address-full-policy>
        <max-delivery-attempts>-1</max-delivery-attempts>
        <redelivery-delay>0</redelivery-delay>
      </address-setting>
    </address-settings>
  </core>
</configuration>
`;
}
