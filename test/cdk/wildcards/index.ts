import { accessWildcards } from "./access.ts";
import type { AllowedWildcard } from "./allowed-wildcard.ts";
import { bucketAndQueueWildcards } from "./buckets-and-queues.ts";
import { cdkWildcards } from "./cdk.ts";
import { iotWildcards } from "./iot.ts";
import { keyWildcards } from "./keys.ts";
import { lakeWildcards } from "./lake.ts";
import { programWildcards } from "./programs.ts";

export type { AllowedWildcard } from "./allowed-wildcard.ts";

/** Every wildcard that a policy of the stacks may have, with its reason. A new one has to be added here. */
export const allowedWildcards: readonly AllowedWildcard[] = [
  ...keyWildcards,
  ...programWildcards,
  ...iotWildcards,
  ...lakeWildcards,
  ...bucketAndQueueWildcards,
  ...cdkWildcards,
  ...accessWildcards,
];
