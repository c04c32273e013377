import { spawn, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { listen } from "../../local/aws/listen.ts";
import { root } from "./synthesised.ts";

/** How the image starts a program: the Dockerfile's own entry point. */
const entryPoint = JSON.parse(
  /^ENTRYPOINT (.+)$/m.exec(readFileSync(join(root, "Dockerfile"), "utf8"))![1]!,
) as string[];

interface Override {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: readonly { readonly name: string; readonly value: string }[];
}
interface RunTask {
  readonly startedBy: string;
  readonly cluster: string;
  readonly taskDefinition: string;
  readonly launchType: string;
  readonly networkConfiguration: { readonly awsvpcConfiguration: object };
  readonly overrides: { readonly containerOverrides: readonly Override[] };
}

/** What the stand-in has: an environment's cluster, service and task definition, or less. */
export interface StandInParts {
  readonly cluster?: string;
  /** Names of its services. */
  readonly services?: readonly string[];
  readonly family?: string;
  /** Variables of the task definition. */
  readonly environment: Readonly<Record<string, string>>;
  /** Why RunTask starts nothing. */
  readonly refusal?: string;
  /** The program never runs: the image can't be had. */
  readonly neverRuns?: boolean;
}

/** The networks of services, by the end of their names: of live the subnets, of the processors the security group. */
export const networks = {
  live: { subnets: ["subnet-out"], securityGroups: ["sg-live"], assignPublicIp: "ENABLED" },
  sensor: { subnets: ["subnet-in"], securityGroups: ["sg-processor"], assignPublicIp: "DISABLED" },
};
const GROUP = "/millrace/dev/task/ops";

/**
 * ECS and CloudWatch Logs as `npm run on-aws` calls them: AWS JSON 1.1, on one port. A task runs the command as the
 * image does, as a process of this machine; what it prints are the lines of its log. There is one task at a time.
 */
export class EcsStandIn {
  readonly #parts: StandInParts;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  #lines: string[] = [];
  /** Calls of RunTask, and the reasons of those of StopTask. */
  readonly runs: RunTask[] = [];
  readonly stops: string[] = [];
  #child: ChildProcess | null = null;
  #status = "PROVISIONING";
  #looks = 0;
  #exitCode: number | undefined;

  constructor(parts: StandInParts) {
    this.#parts = parts;
  }

  /** Of the last task. */
  get #arn(): string {
    return `${TASKS}/0123456789abcde${this.runs.length}`;
  }

  async listen(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.#server, 0)}`;
  }

  async close(): Promise<void> {
    this.#child?.kill("SIGKILL");
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = "";
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    const action = String(request.headers["x-amz-target"]).split(".")[1]!;
    const answer = this.#call(action, JSON.parse(body) as Record<string, unknown>);
    response.writeHead("__type" in answer ? 400 : 200, { "content-type": "application/x-amz-json-1.1" });
    response.end(JSON.stringify(answer));
  }

  #call(action: string, input: Record<string, unknown>): object {
    const { cluster, services = [], family, refusal } = this.#parts;
    const error = (type: string, message: string): object => ({ __type: type, message });
    switch (action) {
      case "DescribeServices": {
        if (input["cluster"] !== cluster) return error("ClusterNotFoundException", "Cluster not found.");
        const [service = ""] = input["services"] as string[];
        if (!services.includes(service)) return { services: [], failures: [{ reason: "MISSING" }] };
        const network = networks[service.split("-").at(-1) as keyof typeof networks];
        return { services: [{ status: "ACTIVE", networkConfiguration: { awsvpcConfiguration: network } }] };
      }
      case "DescribeTaskDefinition": {
        if (input["taskDefinition"] !== family) return error("ClientException", "Unable to describe task definition.");
        const options = { "awslogs-group": GROUP, "awslogs-stream-prefix": "ops" };
        return { taskDefinition: { containerDefinitions: [{ name: "processor", logConfiguration: { options } }] } };
      }
      case "RunTask":
        if (refusal !== undefined) return { tasks: [], failures: [{ reason: refusal }] };
        this.runs.push(input as unknown as RunTask);
        // https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html: 128 letters, numbers, - / and _
        if (!/^[\w/-]{1,128}$/.test(this.runs.at(-1)!.startedBy))
          return error("InvalidParameterException", "startedBy has other characters");
        [this.#lines, this.#child, this.#status, this.#looks] = [[], null, "PROVISIONING", 0];
        this.#exitCode = undefined;
        return { tasks: [{ taskArn: this.#arn, lastStatus: this.#status }] };
      case "DescribeTasks":
        // A task that was just started is not known everywhere: the first look finds none.
        if (this.#looks++ === 0) return { tasks: [], failures: [{ reason: "MISSING" }] };
        return { tasks: [this.#task()] };
      case "StopTask":
        this.stops.push(input["reason"] as string);
        if (this.#child) this.#child.kill("SIGTERM");
        else this.#status = "STOPPED";
        return { task: this.#task() };
      case "GetLogEvents":
        return this.#events(input) ?? error("ResourceNotFoundException", "The specified log stream does not exist.");
      default:
        return error("UnknownOperationException", action);
    }
  }

  /** The first look that finds it finds a task that is being made; its program runs from then on. */
  #task(): object {
    const { exitCode } = { exitCode: this.#exitCode };
    const container = {
      name: "processor",
      ...(exitCode === undefined ? { reason: "CannotPullContainerError" } : { exitCode }),
    };
    const task = { taskArn: this.#arn, lastStatus: this.#status, containers: [container] };
    if (this.#child === null && this.#parts.neverRuns !== true) this.#start();
    return task;
  }

  #start(): void {
    const [{ command, environment }] = this.runs.at(-1)!.overrides.containerOverrides as [Override];
    const child = spawn(entryPoint[0]!, [...entryPoint.slice(1), ...command], {
      cwd: root,
      env: {
        PATH: `${dirname(process.execPath)}:/usr/bin:/bin`,
        NODE_ARGUMENTS: "--disable-warning=ExperimentalWarning",
        PROGRAM: "processor",
        ...this.#parts.environment,
        ...Object.fromEntries(environment.map(({ name, value }) => [name, value])),
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    this.#status = "RUNNING";
    for (const output of [child.stdout, child.stderr])
      createInterface({ input: output }).on("line", (line) => this.#lines.push(line));
    child.on("close", (code) => {
      this.#exitCode = code ?? 137;
      this.#status = "STOPPED";
    });
  }

  /** At most two lines in an answer: a reader has to ask again. The end gives the token that was sent. */
  #events({ logGroupName, logStreamName, nextToken }: Record<string, unknown>): object | null {
    const stream = `ops/processor/${this.#arn.split("/").at(-1)}`;
    if (logGroupName !== GROUP || logStreamName !== stream || this.#lines.length === 0) return null;
    const from = nextToken === undefined ? 0 : Number((nextToken as string).slice(2));
    const events = this.#lines.slice(from, from + 2).map((message) => ({ message, timestamp: 1, ingestionTime: 1 }));
    return { events, nextForwardToken: `f/${from + events.length}`, nextBackwardToken: "b/0" };
  }
}

const TASKS = "arn:aws:ecs:eu-central-1:111122223333:task/millrace-dev-cluster";
