import type { Health } from "../adapters/health.ts";

type Status = Health["status"];

/** What the bridge's health follows from. */
export interface BridgeState {
  /** MQTT connections that are up and subscribed. */
  readonly subscribed: number;
  /** MQTT connections that there should be. */
  readonly clients: number;
  /** How long the batch of records that is being sent has waited for Kafka. */
  readonly recordsMs: number;
  /** The same of dead letters. */
  readonly lettersMs: number;
  /** From when on that is a fault. */
  readonly faultMs: number;
}

/** `down`: no message can pass. `degraded`: some can't, or only with more load on the others. */
export function bridgeHealth({ subscribed, clients, recordsMs, lettersMs, faultMs }: BridgeState): Health {
  const mqtt = mqttStatus(subscribed, clients);
  const records: Status = recordsMs < faultMs ? "ok" : "down";
  const letters: Status = lettersMs < faultMs ? "ok" : "degraded";
  return {
    status: worst([mqtt, records, letters]),
    components: {
      mqtt: { status: mqtt, detail: `${subscribed} of ${clients} connections` },
      kafka: waiting(records, recordsMs),
      deadLetters: waiting(letters, lettersMs),
    },
  };
}

function mqttStatus(subscribed: number, clients: number): Status {
  if (subscribed === clients) return "ok";
  return subscribed > 0 ? "degraded" : "down";
}

function worst(statuses: readonly Status[]): Status {
  return (["down", "degraded"] as const).find((status) => statuses.includes(status)) ?? "ok";
}

function waiting(status: Status, ms: number): Health["components"][string] {
  if (status === "ok") return { status };
  return { status, detail: `no acknowledgement by Kafka for ${Math.round(ms / 1_000)} s` };
}
