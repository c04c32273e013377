import { RemovalPolicy, Stack, Tags } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { resourceName } from "../names.ts";

/** What every stack is given. */
export interface MillraceStackProps {
  readonly config: Environment;
  /** Whether it holds what cannot be made again from code: data, keys, addresses that others know. */
  readonly stateful: boolean;
  readonly description: string;
}

/** A stack of one environment: its name, account, region, tags and protection follow from the config. */
export class MillraceStack extends Stack {
  readonly config: Environment;
  /** For what holds data: kept where the environment keeps its data. */
  readonly dataRemovalPolicy: RemovalPolicy;

  constructor(scope: Construct, id: string, { config, stateful, description }: MillraceStackProps) {
    const account = config.account ?? process.env["CDK_DEFAULT_ACCOUNT"];
    // Stack tags reach what CloudFormation can tag; the CDK's reach resources whose tags are properties.
    const tags = {
      project: "millrace",
      environment: config.name,
      "data-class": stateful ? "stateful" : "stateless",
      ...config.tags,
    };
    super(scope, id, {
      tags,
      stackName: resourceName(config, id),
      description: `Millrace ${config.name}: ${description}`,
      env: { ...(account === undefined ? {} : { account }), region: config.region },
      terminationProtection: stateful && config.retainData,
    });
    this.config = config;
    this.dataRemovalPolicy = config.retainData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
    for (const [key, value] of Object.entries(tags)) Tags.of(this).add(key, value);
  }

  /** The ids of the config's zones: nothing is looked up, so a synth needs no credentials. */
  override get availabilityZones(): string[] {
    return this.config.zones;
  }
}
