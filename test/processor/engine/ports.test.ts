import { portsContract } from "./ports-contract.ts";
import { SOURCE, World } from "./simulated/world.ts";

portsContract("simulated", () => {
  const world = new World({ seed: 1, partitions: 1, processors: 0 });
  const log = world.partitions[0]!;
  return Promise.resolve({
    open: () => world.ports(world.kernel.process("one"), 0),
    append: (values) =>
      Promise.resolve(
        values.forEach((value) =>
          log.append({
            partition: 0,
            offset: log.latest,
            timestamp: 0,
            key: null,
            value: Buffer.from(value),
            headers: {},
          }),
        ),
      ),
    committed: () => Promise.resolve(log.committed.map(({ value }) => Buffer.from(value!).toString())),
    until: (promise) => world.until(promise),
    outputTopic: "out",
    task: `count/${SOURCE}/0`,
  });
});
