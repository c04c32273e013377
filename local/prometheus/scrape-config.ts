import { JOB } from "./promql.ts";

/** The content of `prometheus.yml`. @param targets `host:port` of each `GET /metrics` */
export function scrapeConfig(targets: readonly string[]): object {
  return {
    global: { scrape_interval: "5s", evaluation_interval: "5s" },
    rule_files: ["rules.yml"],
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets }] }],
  };
}
