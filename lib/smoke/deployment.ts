import { CloudFormationClient, DescribeStacksCommand } from "@aws-sdk/client-cloudformation";
import type { Environment } from "../../config/schema.ts";
import { resourceName } from "../names.ts";

/** A deployed environment, as a smoke test reaches it. */
export interface Deployment {
  readonly config: Environment;
  /** URLs end in a slash. */
  readonly restUrl: string;
  readonly webSocketUrl: string;
  /** Host of IoT Core's MQTT endpoint. */
  readonly iotEndpoint: string;
  /** JWT for the APIs; undefined where they are open. */
  readonly token: string | undefined;
}

/**
 * Finds an environment by the outputs of its stacks.
 *
 * @throws Error when an output is missing, because a stack is not deployed
 */
export async function findDeployment(config: Environment, token: string | undefined): Promise<Deployment> {
  const outputs = new Map([...(await stackOutputs(config, "ingestion")), ...(await stackOutputs(config, "serving"))]);
  const output = (name: string): string => {
    const value = outputs.get(name);
    if (value === undefined) throw new Error(`stack output ${name} is missing: deploy the environment first`);
    return value;
  };
  return {
    config,
    restUrl: withSlash(output("RestUrl")),
    webSocketUrl: output("WebSocketUrl"),
    iotEndpoint: output("IotEndpoint"),
    token,
  };
}

async function stackOutputs(config: Environment, stack: string): Promise<[string, string][]> {
  const client = new CloudFormationClient({ region: config.region });
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: resourceName(config, stack) }));
  return (Stacks[0]?.Outputs ?? []).flatMap(({ OutputKey, OutputValue }) =>
    OutputKey && OutputValue ? [[OutputKey, OutputValue]] : [],
  );
}

/** Headers that a request to the REST API needs. */
export function authorization(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function withSlash(url: string): string {
  return url.endsWith("/") ? url : `${url}/`;
}
