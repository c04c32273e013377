import type { Membership, MembershipListener } from "../../../../processor/engine/ports.ts";
import type { Kernel, SimulatedProcess } from "./kernel.ts";

const HEARTBEAT_MS = 500;
const SESSION_TIMEOUT_MS = 2_500;

interface Member {
  readonly process: SimulatedProcess;
  seen: number;
}

/** A simulated group coordinator. It removes silent members; the others learn of a new generation by heartbeat. */
export class SimulatedGroup {
  readonly kernel: Kernel;
  readonly #partitions: number;
  readonly #members = new Map<string, Member>();
  generation = 0;
  joins = 0;

  constructor(kernel: Kernel, partitions: number) {
    this.kernel = kernel;
    this.#partitions = partitions;
    this.#expire();
  }

  #expire(): void {
    for (const [id, { seen }] of [...this.#members]) if (this.kernel.now - seen > SESSION_TIMEOUT_MS) this.remove(id);
    this.kernel.schedule(HEARTBEAT_MS / 2, null, () => this.#expire());
  }

  add(id: string, process: SimulatedProcess): void {
    this.#members.set(id, { process, seen: this.kernel.now });
    this.generation++;
    this.joins++;
  }

  remove(id: string): void {
    if (this.#members.delete(id)) this.generation++;
  }

  /** @returns The generation and this member's partitions, or null when it is not a member any more. */
  heartbeat(id: string): { generation: number; partitions: number[] } | null {
    const member = this.#members.get(id);
    if (!member) return null;
    member.seen = this.kernel.now;
    const ids = [...this.#members.keys()].sort();
    return {
      generation: this.generation,
      partitions: Array.from({ length: this.#partitions }, (_, p) => p).filter(
        (p) => ids[(p + this.generation) % ids.length] === id,
      ),
    };
  }
}

/** One process's membership. Assignments rotate with every generation, so that partitions change owners often. */
export class SimulatedMembership implements Membership {
  readonly #group: SimulatedGroup;
  readonly #process: SimulatedProcess;
  #id: string | null = null;
  #joins = 0;
  #generation = -1;
  #confirmations: ((confirmed: boolean) => void)[] = [];

  constructor(group: SimulatedGroup, process: SimulatedProcess) {
    this.#group = group;
    this.#process = process;
  }

  async join(listener: MembershipListener): Promise<void> {
    const id = `${this.#process.name}#${this.#joins++}`;
    this.#id = id;
    await this.#retried("join", () => this.#group.add(id, this.#process));
    void this.#heartbeats(id, listener);
  }

  async leave(): Promise<void> {
    const id = this.#id;
    this.#id = null;
    this.#settle(false);
    if (id) await this.#retried("leave", () => this.#group.remove(id));
  }

  confirm(): Promise<boolean> {
    return this.#id === null ? Promise.resolve(false) : new Promise((resolve) => this.#confirmations.push(resolve));
  }

  async #heartbeats(id: string, listener: MembershipListener): Promise<void> {
    while (this.#id === id) {
      const answer = await this.#retried("heartbeat", () => this.#group.heartbeat(id));
      if (this.#id !== id) return;
      if (!answer) return this.join(listener);
      if (answer.generation === this.#generation) this.#settle(true);
      else {
        listener.onRebalancing();
        this.#generation = answer.generation;
        this.#settle(false);
        listener.onAssigned(answer.partitions);
      }
      await this.#group.kernel.sleep(this.#process, HEARTBEAT_MS);
    }
  }

  /** Retries, as kafkajs does. */
  async #retried<T>(point: string, effect: () => T): Promise<T> {
    for (;;) {
      try {
        return await this.#group.kernel.call(this.#process, point, effect);
      } catch {
        await this.#group.kernel.sleep(this.#process, 100);
      }
    }
  }

  #settle(confirmed: boolean): void {
    const waiting = this.#confirmations;
    this.#confirmations = [];
    for (const resolve of waiting) resolve(confirmed);
  }
}
