import { CloudWatchClient } from "@aws-sdk/client-cloudwatch";
import { DescribeServicesCommand, ECSClient } from "@aws-sdk/client-ecs";
import { createLogger } from "../../adapters/log.ts";
import { PROMETHEUS_CONTENT_TYPE } from "../../adapters/prometheus.ts";
import { readSettings } from "../../config/settings.ts";
import { alarms } from "../../domain/alarms.ts";
import type { ComponentsOverview } from "../../domain/ops.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { operatorRoutes } from "../../domain/routes.ts";
import { opsFunction } from "../../ops/function.ts";
import { plain, read } from "../../ops/gets.ts";
import { operatorsDocument } from "../../ops/openapi.ts";
import { alarmsOn, newestMinutes } from "./cloudwatch.ts";
import { componentOf, queriesOf, raisedAlarms, type ServiceState } from "./components.ts";
import { metricQueries, metricsText } from "./metrics-text.ts";

/** ECS describes no more at once. */
const MAX_SERVICES = 10;

const settings = readSettings("readComponents", process.env);
const log = createLogger("read-components", settings.logLevel);
const cloudwatch = new CloudWatchClient({ region: settings.region });
const ecs = new ECSClient({ region: settings.region });
const prefix = `millrace-${settings.environment}-`;
const names = settings.ecsServices.split(",");
/** The services of each program: `bridge-0` and `bridge-1` are of the bridge. */
const programs = Map.groupBy(names, (name) => name.split("-")[0]!);

const document = operatorsDocument({ routes: operatorRoutes, isSigned: true });

/** `GET /ops/components`, `/ops/openapi.json` and `/metrics`. */
export const handler = opsFunction(log, {
  gets: {
    "/ops/components": plain(() => read("CloudWatch or ECS", overview())),
    "/ops/openapi.json": plain(() => ({ status: 200, body: document })),
    "/metrics": plain(() => read("CloudWatch", lastMinute(), undefined, PROMETHEUS_CONTENT_TYPE)),
  },
});

async function overview(): Promise<ComponentsOverview> {
  const atMs = Date.now();
  const queries = [...programs.keys()].flatMap(queriesOf);
  const [services, values, on] = await Promise.all([
    readServices(),
    newestMinutes(cloudwatch, settings.environment, queries, atMs),
    alarmsOn(cloudwatch, prefix),
  ]);
  const components = [...programs].map(([program, own]) => {
    const of = queries.flatMap((query, i) => (query.program === program ? [values[i] ?? null] : []));
    return componentOf(
      program,
      services.filter(({ name }) => own.includes(name)),
      of,
    );
  });
  return { atMs, components, alarms: raisedAlarms(existingWhere(alarms, settings.pipelines), on) };
}

async function lastMinute(): Promise<string> {
  const queries = metricQueries();
  return metricsText(queries, await newestMinutes(cloudwatch, settings.environment, queries, Date.now()));
}

async function readServices(): Promise<ServiceState[]> {
  const found = new Map<string, ServiceState["service"]>();
  for (let from = 0; from < names.length; from += MAX_SERVICES) {
    const asked = names.slice(from, from + MAX_SERVICES).map((name) => prefix + name);
    const { services = [] } = await ecs.send(
      new DescribeServicesCommand({ cluster: settings.ecsCluster, services: asked }),
    );
    for (const service of services) found.set(service.serviceName ?? "", service);
  }
  return names.map((name) => ({ name, service: found.get(prefix + name) }));
}
