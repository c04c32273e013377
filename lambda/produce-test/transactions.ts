import type { Kafka, Producer } from "kafkajs";

/** What the check of transactions found. `consume-test` then says what a reader sees. */
export interface TransactionCheck {
  /** Values of the records: `<nonce>/committed`, `<nonce>/aborted`, `<nonce>/fenced`. */
  readonly nonce: string;
  /** A transaction could be committed. */
  readonly commits: boolean;
  /** A transaction could be aborted. */
  readonly aborts: boolean;
  /** A newer producer with the same transactional id stops the older one. */
  readonly fences: boolean;
  /** Error of the step that failed first. */
  readonly failure?: string;
}

/** Tries what exactly-once delivery needs of a cluster: commit, abort, and fencing by the transactional id. */
export async function checkTransactions(
  kafka: Kafka,
  topic: string,
  transactionalId: string,
  nonce: string,
): Promise<TransactionCheck> {
  const result = { nonce, commits: false, aborts: false, fences: false };
  const producer = (): Producer =>
    kafka.producer({ transactionalId, idempotent: true, maxInFlightRequests: 1, retry: { retries: 5 } });
  const older = producer();
  const newer = producer();
  const send = async (from: Producer, what: string, end: "commit" | "abort"): Promise<void> => {
    const transaction = await from.transaction();
    await transaction.send({ topic, acks: -1, messages: [{ key: nonce, value: `${nonce}/${what}` }] });
    await transaction[end]();
  };
  try {
    await older.connect();
    await send(older, "committed", "commit");
    result.commits = true;
    await send(older, "aborted", "abort");
    result.aborts = true;
    const open = await older.transaction();
    await open.send({ topic, acks: -1, messages: [{ key: nonce, value: `${nonce}/fenced` }] });
    await newer.connect();
    await (await newer.transaction()).abort();
    result.fences = await open.commit().then(
      () => false,
      () => true,
    );
    return result;
  } catch (error) {
    return { ...result, failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  } finally {
    await Promise.allSettled([older.disconnect(), newer.disconnect()]);
  }
}
