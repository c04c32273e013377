import type { Cluster } from "kafkajs";
import { keyPartitioner } from "../../../adapters/key-partitioner.ts";
import type { Logger } from "../../../adapters/log.ts";
import { partitionsOf } from "../../../adapters/read-partition.ts";
import { MillraceError } from "../../../domain/errors.ts";
import type { PipelineName } from "../../../domain/pipelines.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { topics } from "../../../domain/topics.ts";
import type { SnapshotStore } from "../../engine/ports.ts";
import type { MachineFactory } from "../../runtime/machine.ts";
import type { WantedWindow } from "./arguments.ts";
import { firingsIn, lastFiring } from "./firings.ts";
import { readState, type TaskState } from "./read-state.ts";
import { endOf, type Report, reportOf } from "./report.ts";
import type { AskedWindow } from "./why.ts";

/** Topics of the pipelines' windows. */
const WINDOW_TOPICS: Readonly<Record<PipelineName, string>> = {
  sensor: topics.aggregated.name,
  market: topics.marketAggregated.name,
};

/** Whose state is looked at. */
export interface Inspection {
  readonly cluster: Cluster;
  readonly snapshots: SnapshotStore;
  readonly factory: MachineFactory;
  readonly pipeline: PipelineName;
  /** The sensor or the symbol. */
  readonly key: string;
  /** The window that is asked about. */
  readonly window: WantedWindow | undefined;
  readonly now: () => EpochMs;
  readonly logger: Logger;
}

/**
 * The state of a key at the end of its log. Reads only.
 *
 * @throws MillraceError `arguments-invalid` for a key that is not known, or a window that can't be; see `readState`
 */
export async function inspectKey(inspection: Inspection): Promise<Report> {
  const { cluster, snapshots, factory, key, window, now, logger } = inspection;
  const topic = factory.sourceTopic;
  const partition = keyPartitioner(topic, (await partitionsOf(cluster, topic)).length)(key);
  const state = await readState({ cluster, snapshots, factory, partition, logger }, key);
  if (!state.key)
    throw new MillraceError(
      "arguments-invalid",
      `${JSON.stringify(key)} is not known to ${state.task}: no message of it was accepted below offset ` +
        `${state.reached}, or all of it was forgotten or erased. \`npm run dead-letters -- list\` has what was refused`,
    );
  const asked = window === undefined ? null : await askedWindow(inspection, window, partition, state);
  return reportOf(state, state.key, asked, now());
}

async function askedWindow(
  { cluster, pipeline, key }: Inspection,
  wanted: WantedWindow,
  partition: number,
  { facts, key: known, outputs, committed }: TaskState,
): Promise<AskedWindow> {
  const end = endOf(pipeline, facts.settings, wanted);
  const topic = WINDOW_TOPICS[pipeline];
  const last = await lastFiring(cluster, topic, partition, key, wanted);
  const coming = firingsIn(outputs, topic, wanted, committed).filter(({ offset }) => offset > (last?.offset ?? -1));
  const kept = known!.windows.find(({ operator, start }) => operator === wanted.operator && start === wanted.start);
  return { ...wanted, end, kept: kept ?? null, last, coming };
}
