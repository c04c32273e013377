import { type aws_ec2 as ec2, CfnOutput } from "aws-cdk-lib";
import type { Construct } from "constructs";
import { runningPipelineNames, runningPipelines } from "../../config/pipelines.ts";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { environmentTopics } from "../../config/topics.ts";
import { eventSourceMappings } from "../../domain/event-source-mappings.ts";
import { consumerGroups } from "../../domain/names.ts";
import { existingWhere } from "../../domain/pipelines.ts";
import { type FunctionName, functions, operatorRoutes } from "../../domain/routes.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { OperatorsApi } from "../constructs/operators-api.ts";
import type { NetworkStack } from "./network.ts";
import type { SecurityStack } from "./security.ts";
import type { ServingStack } from "./serving.ts";
import type { StreamingStack } from "./streaming.ts";

export interface OperatorsNeeds {
  readonly network: NetworkStack;
  /** By which the API is reached. */
  readonly endpoint: ec2.IInterfaceVpcEndpoint;
  readonly security: SecurityStack;
  readonly streaming: StreamingStack;
  /** Deployed before: the account's role for the logs of APIs is there, where this environment owns it. */
  readonly serving: ServingStack;
}

/** The operators' API, private to the VPC, with its functions. */
export class OperatorsStack extends MillraceStack {
  readonly api: OperatorsApi;

  constructor(scope: Construct, id: string, config: Environment, needs: OperatorsNeeds) {
    super(scope, id, { config, stateful: false, description: "the operators' API, private to the VPC" });
    const { endpoint, security, serving } = needs;
    this.addStackDependency(serving);
    this.api = new OperatorsApi(this, {
      endpoint,
      functions: { "read-log": this.#readLog(needs) },
      key: security.keys.operations,
    });
    new CfnOutput(this, OPERATORS_URL_OUTPUT, { value: this.api.url, description: "operators' API, inside the VPC" });
  }

  /** Reads every topic and every group's offsets. It joins no group, and writes nothing. */
  #readLog({ network, security, streaming: { cluster } }: OperatorsNeeds): MillraceFunction {
    const { config } = this;
    const made = new MillraceFunction(this, {
      ...common("read-log"),
      environment: writeSettings("operators", {
        environment: config.name,
        kafkaBrokers: cluster.bootstrapBrokers,
        kafkaAuth: "iam",
      }),
      key: security.keys.operations,
      network: { vpc: network.vpc, subnets: network.privateSubnets, securityGroup: network.securityGroups.operators },
    });
    const topics = environmentTopics(config).map(({ name }) => name);
    const mappings = existingWhere(eventSourceMappings, runningPipelineNames(config));
    cluster.grantPeek(made, topics);
    cluster.grantSeeGroups(made, [
      ...new Set([
        ...runningPipelines(config).map(({ consumerGroup }) => consumerGroup),
        ...mappings.map(({ consumerGroup }) => consumerGroup),
        consumerGroups.live,
        consumerGroups.rejectedNotices,
      ]),
    ]);
    return made;
  }
}

/** Output of the stack with the API's address. */
export const OPERATORS_URL_OUTPUT = "OperatorsUrl";

function common(name: FunctionName): { name: string; description: string; timeoutSeconds: number; memoryMiB: number } {
  const paths = operatorRoutes.filter((route) => route.function === name).map(({ path }) => path);
  const { timeoutSeconds, memoryMb } = functions[name];
  return { name, description: `operators' API: ${paths.join(", ")}`, timeoutSeconds, memoryMiB: memoryMb };
}
