import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import { resourceName } from "../names.ts";
import type { Deployment } from "./deployment.ts";

/** What a call of a function takes of a deployment. */
export type Functions = Pick<Deployment, "config"> & { readonly roles: Pick<Deployment["roles"], "smoke"> };

/**
 * Calls a function of the environment, and gives its answer.
 *
 * @throws Error with what the function has thrown
 */
export async function invoke<T>({ config, roles }: Functions, name: string, request: object): Promise<T> {
  const client = new LambdaClient({ region: config.region, credentials: roles.smoke });
  const { Payload, FunctionError } = await client.send(
    new InvokeCommand({ FunctionName: resourceName(config, name), Payload: Buffer.from(JSON.stringify(request)) }),
  );
  const answer = Buffer.from(Payload ?? []).toString();
  if (FunctionError) throw new Error(`${name}: ${answer}`);
  return JSON.parse(answer) as T;
}
