/** How a connection is made, ended, and known to be lost. */
export interface ConnectionPort<C> {
  connect(): Promise<C>;
  disconnect(connection: C): Promise<unknown>;
  /** Whether an error may be the connection's. */
  isLost(error: unknown): boolean;
}

/**
 * A connection that is made on the first use, and anew after a failure. What fails on a connection that was there
 * before is tried once more: a function that was frozen finds its connections closed.
 */
export class KeptConnection<C> {
  readonly #port: ConnectionPort<C>;
  #connecting: Promise<C> | null = null;

  constructor(port: ConnectionPort<C>) {
    this.#port = port;
  }

  async use<T>(work: (connection: C) => Promise<T>): Promise<T> {
    const before = this.#connecting;
    const connecting = (this.#connecting ??= this.#port.connect());
    try {
      return await work(await connecting);
    } catch (error) {
      if (!this.#port.isLost(error)) throw error;
      if (this.#connecting === connecting) await this.close();
      if (before === null) throw error;
      return this.use(work);
    }
  }

  async close(): Promise<void> {
    const connection = await this.#connecting?.catch(() => null);
    this.#connecting = null;
    if (connection) await this.#port.disconnect(connection);
  }
}
