/** Ports of the platform on one machine, on loopback only. `npm start -- --port-<name> N` overrides one. */
export const localPorts = {
  mqtt: 1883,
  kafka: 9092,
  kafkaController: 9093,
  dynamodb: 8001,
  mongodb: 27017,
  api: 8000,
  dashboard: 8080,
  firehose: 8010,
  features: 8011,
  events: 8002,
  status: 8003,
} as const;
export type LocalPort = keyof typeof localPorts;
export const LOOPBACK = "127.0.0.1";

const loopbackNames = [LOOPBACK, "localhost", "[::1]"];

/** Whether a `Host` header names this machine: a page that a foreign name leads to must not read what is open here. */
export function isLoopbackHost(host: string | undefined): boolean {
  return host !== undefined && loopbackNames.includes(host.replace(/:\d+$/, ""));
}
