import type { CloudFormationCustomResourceEvent, Context } from "aws-lambda";
import { applySettings } from "../../adapters/apply-settings.ts";
import { createKafka } from "../../adapters/kafka.ts";
import { createLogger } from "../../adapters/log.ts";
import { readSettings } from "../../config/settings.ts";
import type { Semantics } from "../../domain/semantics.ts";
import type { TopicSpec } from "../../domain/topics.ts";
import { applyTopics } from "./apply.ts";
import { putInForce } from "./put-in-force.ts";

const settings = readSettings("kafkaTools", process.env);
const logger = createLogger("create-topics", settings.logLevel);
const kafka = createKafka(settings, "millrace-create-topics", logger);

interface Answer {
  readonly PhysicalResourceId: string;
  readonly Data?: Record<string, string>;
}

/**
 * Two custom resources; what they made stays when they are deleted.
 *
 * - `Custom::KafkaTopics`: the topics `Topics`, a JSON array of `TopicSpec`. Those of `Inputs` (names as a JSON array)
 *   that are new get `Settings` (JSON of `Semantics`) as their first records.
 * - `Custom::PipelineSettings`: `Settings` in force in the topic `Input`, once every task reads such records.
 */
export async function handler(event: CloudFormationCustomResourceEvent, context: Context): Promise<Answer> {
  const properties = event.ResourceProperties as unknown as Record<string, string>;
  const input = event.ResourceType === "Custom::PipelineSettings" ? properties["Input"]! : null;
  const PhysicalResourceId = `millrace-${settings.environment}-${input === null ? "topics" : `settings-${input}`}`;
  if (event.RequestType === "Delete") return { PhysicalResourceId };
  const wanted = JSON.parse(properties["Settings"]!) as Semantics;
  if (input !== null) {
    const apply = (semantics: Semantics) => applySettings(kafka, input, semantics, { checkTasks: true });
    const made = await putInForce(apply, wanted, () => context.getRemainingTimeInMillis());
    logger.info({ input, change: made?.id ?? null }, "settings are in force");
    return { PhysicalResourceId, Data: { Change: made?.id ?? "" } };
  }
  const inputs = new Set(JSON.parse(properties["Inputs"]!) as string[]);
  return {
    PhysicalResourceId,
    Data: await makeTopics(JSON.parse(properties["Topics"]!) as TopicSpec[], inputs, wanted),
  };
}

async function makeTopics(
  topics: readonly TopicSpec[],
  inputs: ReadonlySet<string>,
  wanted: Semantics,
): Promise<Record<string, string>> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    const plan = await applyTopics(kafka, admin, topics);
    const created = plan.create.map(({ name }) => name);
    logger.info({ created, altered: plan.alter, notes: plan.notes }, "topics are as wanted");
    for (const name of created.filter((each) => inputs.has(each)))
      await applySettings(kafka, name, wanted, { checkTasks: false });
    return { Created: String(created.length), Altered: String(plan.alter.length) };
  } finally {
    await admin.disconnect();
  }
}
