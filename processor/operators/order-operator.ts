import type { EpochMs } from "../../domain/time.ts";
import type { Reader, Writer } from "../runtime/codec.ts";
import type { OperatorFacts } from "../runtime/facts.ts";
import type { KeyedState } from "../runtime/keyed-state.ts";
import { emitLate, type LateOutput } from "../runtime/late.ts";
import { MAX_ROWS } from "../runtime/message.ts";
import type { Operator, OrderedOperator, StepContext } from "../runtime/operator.ts";
import { SequencedMessage } from "./sequenced-message.ts";
import type { Sequences } from "./sequences.ts";

/** A copy of a message that waits for those before it. */
interface Held {
  readonly seq: number;
  readonly boot: string | null;
  readonly t: Float64Array;
  /** `width` columns of `t.length` rows. */
  readonly columns: Float64Array;
}

/** What the order operator keeps of a key. */
interface OrderState {
  /** Whether a message was seen since the key is new, or since its expiry. */
  started: boolean;
  boot: string | null;
  /** The sequence number that is released at once. */
  next: number;
  /** Whether the next message released is the first of its boot. */
  newBoot: boolean;
  /** Sorted by sequence number. */
  waiting: Held[];
  /** State of each operator behind this one. */
  readonly operatorStates: unknown[];
}

/** What runs behind the order operator, and where late messages go. */
export interface OrderOptions {
  /** Columns of a message. */
  readonly width: number;
  /** How many of them came with the message. */
  readonly receivedWidth: number;
  readonly late: LateOutput<SequencedMessage>;
  /** Messages of a key that may wait. */
  readonly maxWaitingMessages: number;
  /** Bytes of the numbers that they came with: eight for each time and each value. */
  readonly maxWaitingBytes: number;
  readonly operators: readonly OrderedOperator<unknown, SequencedMessage>[];
}

/**
 * Puts the messages of a key back in order.
 *
 * It releases a message at once while sequence numbers are contiguous; the first message seen starts them. Otherwise a
 * message waits until the watermark has reached its first sample, the key goes idle, a new boot begins or the input
 * ends. When too much waits, the oldest is released as if the gap before it were given up. A message behind the
 * released position goes to the late topic as `inference`.
 *
 * The pipeline's deduplication must be by sequence numbers: it knows which boots are new.
 */
export class OrderOperator implements Operator<OrderState, SequencedMessage> {
  readonly name = "order";
  readonly layout = 1;
  readonly #options: OrderOptions;
  readonly #released: SequencedMessage;

  constructor(options: OrderOptions) {
    this.#options = options;
    this.#released = new SequencedMessage(options.width);
  }

  create(): OrderState {
    return {
      started: false,
      boot: null,
      next: 0,
      newBoot: true,
      waiting: [],
      operatorStates: this.#options.operators.map((operator) => operator.create()),
    };
  }

  apply(
    state: OrderState,
    keyed: KeyedState,
    message: SequencedMessage,
    _watermark: EpochMs,
    context: StepContext,
  ): void {
    const seen = keyed.seen as Sequences;
    const isNewBoot = !state.started || (message.boot !== state.boot && seen.isFirstOf(message.boot));
    if (isNewBoot) {
      this.#releaseWaiting(state, keyed, state.waiting.length, context);
      state.started = true;
      state.boot = message.boot;
      state.next = message.seq;
      state.newBoot = true;
    }
    if (message.boot !== state.boot || message.seq < state.next) {
      const missed = { start: message.firstTime, end: message.lastTime };
      emitLate(this.#options.late, message, "inference", missed, 0, message.rows, context);
    } else if (message.seq === state.next) {
      this.#pass(state, keyed, message, context);
      this.#releaseWaiting(state, keyed, contiguous(state), context);
    } else {
      hold(state, message, this.#options.width);
      while (this.#isFull(state)) {
        context.counters.add("processor.order-buffer-overflows");
        this.#releaseWaiting(state, keyed, 1, context);
        this.#releaseWaiting(state, keyed, contiguous(state), context);
      }
    }
  }

  #isFull({ waiting }: OrderState): boolean {
    const { maxWaitingMessages, maxWaitingBytes } = this.#options;
    return waiting.length > maxWaitingMessages || this.#bytesOf(waiting) > maxWaitingBytes;
  }

  #bytesOf(waiting: readonly Held[]): number {
    let rows = 0;
    for (const { t } of waiting) rows += t.length;
    return rows * (1 + this.#options.receivedWidth) * Float64Array.BYTES_PER_ELEMENT;
  }

  release(state: OrderState, keyed: KeyedState, upTo: EpochMs, context: StepContext): void {
    if (state.waiting.length === 0) return;
    const last = state.waiting.findLastIndex((held) => upTo >= held.t[0]!);
    if (last < 0) return;
    this.#releaseWaiting(state, keyed, last + 1, context);
    this.#releaseWaiting(state, keyed, contiguous(state), context);
  }

  idle(state: OrderState): void {
    this.#options.operators.forEach((operator, i) => operator.idle?.(state.operatorStates[i]));
  }

  /** Nothing waits any more; the released position stays. */
  adopt(state: OrderState): OrderState {
    const { operators } = this.#options;
    const states = operators.map((operator, i) => operator.adopt?.(state.operatorStates[i]) ?? operator.create());
    return { ...state, operatorStates: states };
  }

  dueAt(state: OrderState): EpochMs {
    return state.waiting.reduce((first, held) => Math.min(first, held.t[0]!), Infinity);
  }

  facts(state: OrderState): OperatorFacts {
    const { boot, next, waiting } = state;
    return {
      waiting: {
        boot,
        next,
        messages: waiting.length,
        bytes: this.#bytesOf(waiting),
        first: waiting[0]?.seq ?? null,
        firstTime: this.dueAt(state),
      },
    };
  }

  #releaseWaiting(state: OrderState, keyed: KeyedState, count: number, context: StepContext): void {
    for (const held of state.waiting.splice(0, count)) {
      lend(held, keyed.key, this.#options.width, this.#released);
      this.#pass(state, keyed, this.#released, context);
    }
  }

  #pass(state: OrderState, keyed: KeyedState, message: SequencedMessage, context: StepContext): void {
    const { operators } = this.#options;
    for (let i = 0; i < operators.length; i++) {
      operators[i]!.apply(state.operatorStates[i], keyed, message, state.newBoot, context);
    }
    state.newBoot = false;
    state.next = message.seq + 1;
  }

  encode(state: OrderState, writer: Writer): void {
    writer.u8(state.started ? 1 : 0);
    writer.optionalText(state.boot);
    writer.f64(state.next);
    writer.u8(state.newBoot ? 1 : 0);
    writer.u32(state.waiting.length);
    for (const held of state.waiting) {
      writer.f64(held.seq);
      writer.optionalText(held.boot);
      writer.f64s(held.t);
      writer.f64s(held.columns);
    }
    this.#options.operators.forEach((operator, i) => {
      writer.u8(operator.layout);
      writer.section(() => operator.encode(state.operatorStates[i], writer));
    });
  }

  decode(reader: Reader): OrderState {
    const state: OrderState = {
      started: reader.u8() === 1,
      boot: reader.optionalText(),
      next: reader.f64(),
      newBoot: reader.u8() === 1,
      waiting: Array.from({ length: reader.u32() }, () => ({
        seq: reader.f64(),
        boot: reader.optionalText(),
        t: reader.f64s(),
        columns: reader.f64s(),
      })),
      operatorStates: [],
    };
    for (const operator of this.#options.operators) {
      const layout = reader.u8();
      state.operatorStates.push(operator.decode(reader.section(), layout));
    }
    return state;
  }
}

/** How many waiting messages follow the released position without a gap. */
function contiguous({ waiting, next }: OrderState): number {
  let count = 0;
  while (count < waiting.length && waiting[count]!.seq === next + count) count++;
  return count;
}

/** Puts a copy of a message among those that wait. */
function hold(state: OrderState, message: SequencedMessage, width: number): void {
  const rows = message.rows;
  const columns = new Float64Array(width * rows);
  for (let column = 0; column < width; column++) {
    columns.set(message.columns.subarray(column * MAX_ROWS, column * MAX_ROWS + rows), column * rows);
  }
  const held: Held = { seq: message.seq, boot: message.boot, t: message.t.slice(0, rows), columns };
  const at = state.waiting.findIndex(({ seq }) => seq > message.seq);
  state.waiting.splice(at < 0 ? state.waiting.length : at, 0, held);
}

/** Fills `message` with a message that waited. */
function lend(held: Held, key: string, width: number, message: SequencedMessage): void {
  const rows = held.t.length;
  message.key = key;
  message.seq = held.seq;
  message.boot = held.boot;
  message.rows = rows;
  message.t.set(held.t);
  for (let column = 0; column < width; column++) {
    message.columns.set(held.columns.subarray(column * rows, (column + 1) * rows), column * MAX_ROWS);
  }
}
