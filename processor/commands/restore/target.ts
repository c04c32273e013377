import { createKafka } from "../../../adapters/kafka.ts";
import { createLogger } from "../../../adapters/log.ts";
import type { Settings } from "../../../config/settings.ts";
import { MillraceError } from "../../../domain/errors.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { pickSemantics } from "../../../domain/semantics.ts";
import { topics, type TopicKey } from "../../../domain/topics.ts";
import { createDynamo } from "../../adapters/dynamo-client.ts";
import { DynamoSnapshots } from "../../adapters/dynamo-snapshots.ts";
import { openModels } from "../../adapters/model-store.ts";
import { openPipeline } from "../../adapters/open-pipeline.ts";
import type { RestoreTarget } from "./restore.ts";

/** Outputs that no store reads: the live view alone shows them, and they would be most of what is written again. */
const NOT_RESTORED: ReadonlySet<TopicKey> = new Set(["transformed"]);

/** What a processor's settings say of a restore. @throws MillraceError `restore-refused` where there is no fence */
export function restoreTarget(
  settings: Settings<"processor">,
  given: Pick<RestoreTarget, "dir" | "outputsFrom" | "report">,
): RestoreTarget {
  if (settings.delivery !== "transactional")
    throw new MillraceError("restore-refused", "DELIVERY is idempotent: without transactions nobody can be fenced");
  const { consumerGroup, outputs } = pipelines[settings.pipeline];
  const restored = (outputs as readonly TopicKey[]).filter((key) => !NOT_RESTORED.has(key));
  const models = openModels(settings);
  return {
    ...given,
    kafka: createKafka(settings, "millrace-restore"),
    snapshots: new DynamoSnapshots(createDynamo(settings), settings.checkpointTable),
    environment: settings.environment,
    groupId: consumerGroup,
    generation: settings.logGeneration,
    open: (generation) => openPipeline(settings.pipeline, models, { formerly: pickSemantics(settings), generation }),
    topics: new Set(restored.map((key) => topics[key].name)),
    logger: createLogger("restore", settings.logLevel),
  };
}
