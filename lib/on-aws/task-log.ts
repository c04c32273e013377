import {
  type CloudWatchLogsClient,
  GetLogEventsCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-cloudwatch-logs";
import type { StartedTask } from "./ops-task.ts";

/** Answers that are read in one go: CloudWatch Logs gives at most 1 MB in each. */
const MAX_ANSWERS = 1_000;

/** Reads the lines of a task's log as they come. */
export class TaskLog {
  readonly #logs: CloudWatchLogsClient;
  readonly #task: StartedTask;
  #next: string | undefined;

  constructor(logs: CloudWatchLogsClient, task: StartedTask) {
    this.#logs = logs;
    this.#task = task;
  }

  /** Hands over the lines that are there and were not handed over yet. @returns how many */
  async read(print: (lines: string) => Promise<void>): Promise<number> {
    let lines = 0;
    for (let answers = 0; answers < MAX_ANSWERS; answers++) {
      const answer = await this.#fetch();
      if (answer === null) return lines;
      const { events = [], nextForwardToken } = answer;
      if (events.length > 0) await print(events.map(({ message = "" }) => `${message}\n`).join(""));
      lines += events.length;
      // The end of the stream gives the token that was sent.
      const isEnd = nextForwardToken === this.#next;
      this.#next = nextForwardToken;
      if (isEnd) return lines;
    }
    return lines;
  }

  /** Null: there is no stream yet, because the program has written nothing. */
  async #fetch() {
    const { logGroup: logGroupName, logStream: logStreamName } = this.#task;
    try {
      return await this.#logs.send(
        new GetLogEventsCommand({ logGroupName, logStreamName, startFromHead: true, nextToken: this.#next }),
      );
    } catch (error) {
      if (error instanceof ResourceNotFoundException) return null;
      throw error;
    }
  }
}
