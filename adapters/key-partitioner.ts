import { Partitioners } from "kafkajs";

/** The partition that Kafka's partitioner (murmur2) gives each key among `count` partitions. */
export function keyPartitioner(topic: string, count: number): (key: string) => number {
  const partitioner = Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  return (key) => partitioner({ topic, partitionMetadata, message: { key, value: null } });
}
