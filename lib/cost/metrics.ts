import { metrics, tiers, type MetricSpec } from "../../domain/metrics.ts";

/** Bytes of a metric in a line of the embedded metric format: its declaration and a number; of a timing, 20 numbers. */
const METRIC_BYTES = 100;
const TIMING_BYTES = 250;
/** Values of a label that occur. Each is a metric of its own. */
const LABEL_VALUES = 5;
/** The programs that run all the time. */
const PROGRAMS = ["processor", "bridge", "live"];
const FUNCTIONS = ["audit-output"];

const inProgram = (program: string): MetricSpec[] =>
  Object.entries<MetricSpec>(metrics).flatMap(([name, spec]) => (name.startsWith(`${program}.`) ? spec : []));
const inTasks = PROGRAMS.flatMap((program) => [...inProgram(program), ...inProgram("program")]);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Custom metrics of an environment: several tasks of a program report the same ones. */
export const customMetrics = sum(
  [...inTasks, ...FUNCTIONS.flatMap(inProgram)].map(({ label }) => (label ? 1 + LABEL_VALUES : 1)),
);

/** Bytes of log a second and task, as if everything happened all the time; the mean of the programs. */
export const metricsBytesPerSecond =
  sum(inTasks.map(({ kind, tier }) => (kind === "timing" ? TIMING_BYTES : METRIC_BYTES) / tiers[tier])) /
  PROGRAMS.length;
