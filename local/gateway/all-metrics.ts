import { mergePrometheusTexts } from "../../adapters/prometheus.ts";
import { LOOPBACK } from "../../config/local.ts";
import { SECOND } from "../../domain/time.ts";

/** The metrics of the programs on these ports, in Prometheus' text format, without those that don't answer in time. */
export async function metricsOf(ports: readonly number[]): Promise<string> {
  const texts = await Promise.all(
    ports.map(async (port) => {
      try {
        const response = await fetch(`http://${LOOPBACK}:${port}/metrics`, { signal: AbortSignal.timeout(SECOND) });
        return response.ok ? await response.text() : "";
      } catch {
        return "";
      }
    }),
  );
  return mergePrometheusTexts(texts);
}
