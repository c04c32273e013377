import { seededRandom } from "../../../../simulator/synthetic/random.ts";

/** One program in the simulated world. */
export interface SimulatedProcess {
  readonly name: string;
  alive: boolean;
  /** Virtual time until which it is paused: its requests take effect, but it runs no code. */
  pausedUntil: number;
}

/** A fault at a point of the protocol. `error-before`: the request is lost; `error-after`: its answer is lost. */
export type Fault = "crash" | "error-before" | "error-after" | { readonly pauseMs: number };

/** Chooses the fault at a point such as `commit:send`, before or after the effect. */
export type FaultPlan = (process: SimulatedProcess, point: string, moment: "before" | "after") => Fault | null;

interface SimulatedEvent {
  readonly at: number;
  readonly order: number;
  readonly process: SimulatedProcess | null;
  run(): void;
}

/**
 * Virtual time, and a queue of events that a seeded scheduler runs one by one. Every port works by `call`: the request
 * arrives after a delay, takes effect, and its answer arrives after another delay. Faults can hit each point.
 */
export class Kernel {
  readonly random: () => number;
  readonly trace: string[] = [];
  plan: FaultPlan = () => null;
  now = 0;
  /** Faults that were injected. */
  faults = 0;
  /** Longest delay of a request or an answer. */
  maxDelayMs = 5;
  #queue: SimulatedEvent[] = [];
  #order = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  process(name: string): SimulatedProcess {
    return { name, alive: true, pausedUntil: 0 };
  }

  kill(process: SimulatedProcess): void {
    process.alive = false;
  }

  /** Runs `run` after `delayMs`; events of the same time in random order. Null is an event of the world. */
  schedule(delayMs: number, process: SimulatedProcess | null, run: () => void): void {
    this.#push({ at: this.now + delayMs, order: this.random() + this.#order++ * 1e-9, process, run });
  }

  sleep(process: SimulatedProcess, ms: number): Promise<void> {
    return new Promise((resolve) => this.schedule(ms, process, resolve));
  }

  /** A request whose effect on the world is `effect`. */
  call<T>(process: SimulatedProcess, point: string, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!process.alive) return;
      const before = this.#fault(process, point, "before");
      if (!process.alive) return;
      const lost = (): void =>
        this.schedule(this.#delay(), process, () => reject(new Error(`simulated: ${point} failed`)));
      if (before === "error-before") return lost();
      this.schedule(this.#delay(), null, () => {
        let answer: () => void;
        try {
          const result = effect();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error as Error);
        }
        if (!process.alive) return;
        const after = this.#fault(process, point, "after");
        if (!process.alive) return;
        if (after === "error-after" || before === "error-after") return lost();
        this.schedule(this.#delay(), process, answer);
      });
    });
  }

  /** Runs events until `done` or until virtual time has passed `untilMs`. @returns whether `done` came true. */
  async run(untilMs: number, done: () => boolean): Promise<boolean> {
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve)); // all microtasks
      if (done()) return true;
      const next = this.#queue[0];
      if (!next || next.at > untilMs) return false; // what comes later waits for the next run
      const event = this.#pop()!;
      this.now = Math.max(this.now, event.at);
      if (event.process && !event.process.alive) continue;
      if (event.process && event.process.pausedUntil > this.now)
        this.#push({ ...event, at: event.process.pausedUntil });
      else event.run();
    }
  }

  #fault(process: SimulatedProcess, point: string, moment: "before" | "after"): Fault | null {
    const fault = this.plan(process, point, moment);
    if (fault === null) return null;
    this.faults++;
    const what = typeof fault === "string" ? fault : `pause ${fault.pauseMs}`;
    this.trace.push(`${Math.round(this.now)} ${process.name} ${moment} ${point}: ${what}`);
    if (fault === "crash") this.kill(process);
    else if (typeof fault === "object") process.pausedUntil = this.now + fault.pauseMs;
    return fault;
  }

  #delay(): number {
    return this.random() * this.maxDelayMs;
  }

  #push(event: SimulatedEvent): void {
    const queue = this.#queue;
    let at = queue.push(event) - 1;
    for (let parent = (at - 1) >> 1; at > 0 && earlier(event, queue[parent]!); at = parent, parent = (at - 1) >> 1)
      queue[at] = queue[parent]!;
    queue[at] = event;
  }

  #pop(): SimulatedEvent | undefined {
    const queue = this.#queue;
    const first = queue[0];
    const last = queue.pop();
    if (!first || !last || queue.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= queue.length) break;
      if (child + 1 < queue.length && earlier(queue[child + 1]!, queue[child]!)) child++;
      if (!earlier(queue[child]!, last)) break;
      queue[at] = queue[child]!;
      at = child;
    }
    queue[at] = last;
    return first;
  }
}

function earlier(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
