import { monitorEventLoopDelay, PerformanceObserver } from "node:perf_hooks";
import { getHeapStatistics } from "node:v8";
import { SECOND } from "../domain/time.ts";
import { Metrics } from "./metrics.ts";

const LOOP_INTERVAL_MS = 10 * SECOND;

/** The metrics of a program, with what every program reports of its process: `program.*`. */
export function programMetrics(program: string): Metrics {
  const metrics = new Metrics(program);
  metrics.add("program.starts");
  metrics.observe("program.cpu-time", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  });
  metrics.observe("program.rss", () => process.memoryUsage.rss());
  metrics.observe("program.heap-used", () => getHeapStatistics().used_heap_size);
  metrics.observe("program.heap-share", () => {
    const heap = getHeapStatistics();
    return (100 * heap.used_heap_size) / heap.heap_size_limit;
  });
  observeEventLoop(metrics);
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) metrics.time("program.gc-pauses", duration);
  }).observe({ entryTypes: ["gc"] });
  return metrics;
}

function observeEventLoop(metrics: Metrics): void {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  setInterval(() => {
    // In nanoseconds; a timer of the monitor that is on time counts as its resolution.
    metrics.set("program.event-loop-delay", Math.max(0, delays.percentile(99) / 1e6 - 10));
    delays.reset();
  }, LOOP_INTERVAL_MS).unref();
}
