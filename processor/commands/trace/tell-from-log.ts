import { openCluster } from "../../../adapters/kafka-cluster.ts";
import { createKafka } from "../../../adapters/kafka.ts";
import type { TimeRange } from "../../../adapters/read-partition.ts";
import type { Settings } from "../../../config/settings.ts";
import { logName } from "../../../domain/names.ts";
import { pipelines } from "../../../domain/pipelines.ts";
import { topics } from "../../../domain/topics.ts";
import type { Wanted } from "./arguments.ts";
import { findMessage } from "./find.ts";
import { tell, type Story } from "./tell.ts";

/**
 * Tells of a message from the log. Reads only.
 *
 * @param signal Ends it: what is read then fails
 * @throws MillraceError `arguments-invalid` for what is not there
 */
export async function tellFromLog(
  { logGeneration, ...connection }: Settings<"dump">,
  wanted: Wanted,
  times: TimeRange,
  signal?: AbortSignal,
): Promise<Story> {
  const kafka = createKafka(connection, "millrace-trace");
  const cluster = openCluster(kafka);
  signal?.addEventListener("abort", () => void cluster.disconnect());
  try {
    const { pipeline, identity, found } = await findMessage(cluster, logGeneration, wanted, times);
    const log = logName(topics[pipelines[pipeline].input].name, logGeneration);
    return await tell({ kafka, cluster, pipeline, log }, identity, found);
  } finally {
    await cluster.disconnect();
  }
}
