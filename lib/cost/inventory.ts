import { OPS_TASK } from "../../config/operator-commands.ts";
import { runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { environmentTopics } from "../../config/topics.ts";
import { resourceName } from "../names.ts";

/** Disk of a task on Fargate that costs nothing, GB. */
export const FREE_DISK_GB = 20;

/** A resource of a template, as far as a bill depends on it. */
export interface BilledResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

/** What an environment's templates have that is paid for whether anything arrives or not. */
export interface Inventory {
  /** All tasks, of each service as many as it has at least; their vCPUs and GB. */
  readonly tasks: number;
  readonly vcpus: number;
  readonly memoryGb: number;
  readonly publicTasks: number;
  /** Of the task that a schedule starts each hour. */
  readonly hourlyTask: { readonly vcpus: number; readonly memoryGb: number; readonly diskGb: number };
  readonly userPools: number;
  readonly partitions: number;
  readonly natGateways: number;
  /** Interface endpoints times their zones. */
  readonly endpointZones: number;
  readonly keys: number;
  readonly secrets: number;
  /** Metrics that alarms look at: one that calculates with several is paid for each of them. */
  readonly alarmMetrics: number;
  readonly compositeAlarms: number;
  readonly dashboards: number;
  readonly webAcls: number;
  readonly webAclRules: number;
  readonly documentInstances: number;
  readonly documentMinDcu: number;
  /** Those of Kafka: their pollers are paid for by the hour, those of queues are not. */
  readonly eventSourceMappings: number;
  readonly deliveryStreams: number;
  readonly mqttConnections: number;
}

/** Counts what is paid for in the templates of an environment. */
export function inventoryOf(resources: readonly BilledResource[], config: Environment): Inventory {
  const of = (type: string): Readonly<Record<string, unknown>>[] =>
    resources.filter(({ Type }) => Type === type).map(({ Properties }) => Properties ?? {});
  const services = of("AWS::ECS::Service");
  const tasks = of("AWS::ECS::TaskDefinition");
  const scaled = new Map([
    [resourceName(config, "live"), config.live.minTasks],
    ...runningPipelines(config).map(
      ({ name, size }) => [resourceName(config, `processor-${name}`), size.minTasks] as const,
    ),
  ]);
  const countOf = (service: Readonly<Record<string, unknown>>): number =>
    scaled.get(service["ServiceName"] as string) ?? Number(service["DesiredCount"]);
  const sizes = services.map((service) => {
    const task = tasks.find(({ Family }) => Family === service["ServiceName"]);
    return {
      count: countOf(service),
      cpu: Number(task?.["Cpu"]) / 1024,
      memory: Number(task?.["Memory"]) / 1024,
    };
  });
  const hourly = tasks.find(({ Family }) => Family === resourceName(config, OPS_TASK));
  const disk = hourly?.["EphemeralStorage"] as { SizeInGiB: number } | undefined;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const webAcls = of("AWS::WAFv2::WebACL");
  const endpoints = of("AWS::EC2::VPCEndpoint").filter(({ VpcEndpointType }) => VpcEndpointType === "Interface");
  return {
    tasks: sum(sizes.map(({ count }) => count)),
    vcpus: sum(sizes.map(({ count, cpu }) => count * cpu)),
    memoryGb: sum(sizes.map(({ count, memory }) => count * memory)),
    publicTasks: sum(
      services
        .filter((service) => JSON.stringify(service["NetworkConfiguration"]).includes('"AssignPublicIp":"ENABLED"'))
        .map(countOf),
    ),
    hourlyTask: {
      vcpus: Number(hourly?.["Cpu"]) / 1024,
      memoryGb: Number(hourly?.["Memory"]) / 1024,
      diskGb: disk?.SizeInGiB ?? FREE_DISK_GB,
    },
    userPools: of("AWS::Cognito::UserPool").length,
    partitions: sum(environmentTopics(config).map(({ partitions }) => partitions)),
    natGateways: of("AWS::EC2::NatGateway").length,
    endpointZones: sum(endpoints.map(({ SubnetIds }) => (SubnetIds as unknown[]).length)),
    keys: of("AWS::KMS::Key").length,
    secrets: of("AWS::SecretsManager::Secret").length,
    alarmMetrics: sum(of("AWS::CloudWatch::Alarm").map(({ Metrics }) => metricsOf(Metrics))),
    compositeAlarms: of("AWS::CloudWatch::CompositeAlarm").length,
    dashboards: of("AWS::CloudWatch::Dashboard").length,
    webAcls: webAcls.length,
    webAclRules: sum(webAcls.map(({ Rules }) => (Rules as unknown[]).length)),
    documentInstances: of("AWS::DocDB::DBInstance").length,
    documentMinDcu: Number(
      (of("AWS::DocDB::DBCluster")[0]?.["ServerlessV2ScalingConfiguration"] as { MinCapacity?: number } | undefined)
        ?.MinCapacity ?? 0,
    ),
    eventSourceMappings: of("AWS::Lambda::EventSourceMapping").filter(({ Topics }) => Topics !== undefined).length,
    deliveryStreams: of("AWS::KinesisFirehose::DeliveryStream").length,
    mqttConnections: config.bridge.tasks * config.bridge.connectionsPerTask,
  };
}

/** Of an alarm that calculates; one that does not has a single metric, outside of this list. */
function metricsOf(queries: unknown): number {
  if (!Array.isArray(queries)) return 1;
  return queries.filter((query: { readonly MetricStat?: unknown }) => query.MetricStat !== undefined).length;
}
