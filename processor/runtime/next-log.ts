import { Changes } from "./changes.ts";
import { Reader, Writer } from "./codec.ts";
import type { StateEntry } from "./machine.ts";
import { TASK_ENTRY } from "./partition-state.ts";

/**
 * The state behind the last record of a log that was lost, for the tasks of the log that continues it. What names
 * places in lost topics is left out: the changes that were taken, and the dead letters that were sent in again. Their
 * names may come again, and stand for others then.
 */
export function stateForNextLog(entries: readonly StateEntry[]): StateEntry[] {
  return entries.map(({ key, value }) => ({ key, value: key === TASK_ENTRY ? withoutNames(value) : value }));
}

/** See `PartitionState`: layout, three clocks, asynchronous state, watermark, settings; then the names. */
function withoutNames(value: Uint8Array): Uint8Array {
  const reader = new Reader(value);
  const writer = new Writer();
  writer.u8(reader.u8());
  for (let i = 0; i < 3; i++) writer.f64(reader.f64());
  writer.text(reader.text());
  writer.f64(reader.f64());
  const regimes = reader.u32();
  writer.u32(regimes);
  for (let i = 0; i < regimes; i++) {
    writer.u32(reader.u32());
    writer.text(reader.text());
  }
  for (let i = 0; i < 2; i++) new Changes().encode(writer);
  return writer.take();
}
