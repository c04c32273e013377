import type { MachineFactory } from "../runtime/machine.ts";
import { PipelineDriver } from "./driver.ts";
import { KafkaBackend, type DriverServers } from "./kafka-backend.ts";

/**
 * The driver on real servers: the same tests, with the engine of docs/exactly-once.md. Records are produced to Kafka, a
 * task processes them in transactions, and a test reads what a `read_committed` reader finds. `snapshot()` is a
 * hand-over to a new task through DynamoDB. To both servers `crash()` looks like `kill -9`. `restore()` fences,
 * restores and catches up. A call takes a few dozen milliseconds.
 *
 * Each driver has topics and a table of its own, which `close()` removes. Names and ids in outputs are the pipeline's,
 * so they are those of a driver in memory.
 *
 * @throws Error when the servers can't be reached
 */
export async function driverOnKafka(factory: MachineFactory, servers: DriverServers): Promise<PipelineDriver> {
  const backend = new KafkaBackend(factory, servers);
  try {
    await backend.open();
  } catch (error) {
    await backend.disconnect();
    throw error;
  }
  return new PipelineDriver(factory, backend);
}
