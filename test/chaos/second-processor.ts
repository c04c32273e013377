import { join } from "node:path";
import { pipelines } from "../../domain/pipelines.ts";
import { pickFreePorts } from "../../local/processes/ports.ts";
import { startProcess } from "../../local/processes/process.ts";
import { localPrograms, PROGRAM_COUNT } from "../../local/programs.ts";
import { connectionsTo } from "../../local/servers/index.ts";
import { programUnit } from "../../local/units.ts";
import { eventually } from "../support/eventually.ts";
import { UP_LIMIT_MS, type Stage } from "./stage.ts";

/** Starts another processor, as the platform starts its own. `stop` lets it hand over. */
export async function startSecondProcessor({ home, ports, kafkaBrokers }: Stage): Promise<{ stop(): Promise<void> }> {
  const sensorsAlone = { simulator: false, simulatorArguments: [], market: false, marketArguments: [] };
  const options = { ...sensorsAlone, fresh: false, home, ports };
  const healthPorts = await pickFreePorts(PROGRAM_COUNT);
  const programs = localPrograms(options, { ...connectionsTo(ports), kafkaBrokers }, healthPorts);
  const program = programs.find(({ name }) => name === "processor")!;
  const { spec, stopLimitMs } = programUnit(program, process.env, join(home, "logs"));
  const running = await startProcess({ ...spec, logFile: join(home, "logs", "processor-2.log") });
  const kill = (): void => void running.kill();
  process.once("exit", kill);
  return {
    stop: async () => {
      await running.stop(stopLimitMs);
      process.off("exit", kill);
    },
  };
}

/** Resolves when the processors' group is stable with this many members. */
export async function groupSize({ kafka }: Stage, members: number): Promise<void> {
  const admin = kafka.admin();
  await admin.connect();
  try {
    await eventually(
      async () => {
        const { groups } = await admin.describeGroups([pipelines.sensor.consumerGroup]);
        return { state: groups[0]!.state, members: groups[0]!.members.length };
      },
      { until: (group) => group.state === "Stable" && group.members === members, limitMs: UP_LIMIT_MS, pauseMs: 500 },
    );
  } finally {
    await admin.disconnect();
  }
}
