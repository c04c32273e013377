import type { Broker, Cluster } from "kafkajs";

/** How long the answer holds to which broker coordinates a transaction or a group, if nothing fails. */
const COORDINATOR_MS = 5_000;

/**
 * Makes an answer to which broker coordinates hold for a while. kafkajs asks before each request to a coordinator,
 * which doubles their number.
 *
 * @returns Forgets the answers, after a request that failed.
 */
export function rememberCoordinators(cluster: Cluster): () => void {
  const ask = cluster.findGroupCoordinator.bind(cluster);
  const known = new Map<string, { readonly broker: Promise<Broker>; readonly askedAt: number }>();
  cluster.findGroupCoordinator = (whose: { readonly groupId: string; readonly coordinatorType?: number }) => {
    const name = `${whose.coordinatorType}/${whose.groupId}`;
    const before = known.get(name);
    if (before && performance.now() - before.askedAt < COORDINATOR_MS) return before.broker;
    const broker = ask(whose);
    known.set(name, { broker, askedAt: performance.now() });
    broker.catch(() => known.delete(name));
    return broker;
  };
  return () => known.clear();
}
