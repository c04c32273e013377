import { deadLetterAdvice } from "../../../domain/dead-letters.ts";
import type { DeadLetterCode } from "../../../domain/errors.ts";
import type { EpochMs } from "../../../domain/time.ts";
import { printable } from "../dead-letters/letters.ts";
import type { Delivery } from "./consumers.ts";
import type { Arrival, ArrivalStory } from "./story.ts";
import { nameOf } from "./subject.ts";
import type { Story } from "./tell.ts";

/** Outputs that are printed of an arrival; `--json` has all. */
const MAX_LINES = 100;

/** A story as somebody on call reads it. */
export function storyText(story: Story): string {
  return story.arrivals.length === 0
    ? neverArrived(story)
    : story.arrivals.map((one) => arrivalText(one, story)).join("\n");
}

function arrivalText(arrival: ArrivalStory, { deliveries, notes }: Story): string {
  const { subject, verdict, why, place, appendedAt, ingestMs, traceparent, reinjectedFrom, bytes } = arrival;
  const { times, readings } = subject;
  const lines = [`${printable(nameOf(subject.identity))}: ${verdict}`, field("why", printable(why))];
  if (times) lines.push(field("event time", `${iso(times.first)} to ${iso(times.last)}, ${readings} readings`));
  if (traceparent !== null) lines.push(field("trace id", traceparent.slice(3, 35)));
  if (reinjectedFrom !== null) lines.push(field("sent again", `it is ${reinjectedFrom}, which was sent in again`));
  if (ingestMs !== null) lines.push(event(ingestMs, "received", "by the platform"));
  lines.push(event(appendedAt, "appended", `${place}, ${bytes} bytes${takenBy(place, deliveries)}`));
  for (const letter of arrival.letters) lines.push(...letterLines(letter, deliveries));
  for (const { at, role, what, place: output, id } of arrival.outputs.slice(0, MAX_LINES)) {
    const name = role === "holds" ? "output" : "also fired";
    lines.push(event(at, name, `${printable(what)} (id ${id}, ${output})${takenBy(output, deliveries)}`));
  }
  const more = arrival.outputs.length - MAX_LINES;
  if (more > 0) lines.push(field("more", `${more} outputs; --json has all`));
  lines.push(...notes.map((note) => field("note", note)));
  return `${lines.join("\n")}\n`;
}

function neverArrived({ wanted, letters, deliveries, neighbours, notes }: Story): string {
  const lines = [`${printable(wanted)}: ${letters.length === 0 ? "never arrived" : "dead-lettered by the bridge"}`];
  for (const letter of letters) lines.push(...letterLines(letter, deliveries));
  for (const { seq, place, appendedAt } of neighbours)
    lines.push(event(appendedAt, "arrived", `seq ${seq} of the same boot, as ${place}`));
  return `${[...lines, ...notes.map((note) => field("note", note))].join("\n")}\n`;
}

function letterLines(
  { at, place, code, message }: Arrival["letters"][number],
  deliveries: readonly Delivery[],
): string[] {
  const advice = deadLetterAdvice[code as DeadLetterCode] as string | undefined;
  return [
    event(at, "dead letter", `${place} ${printable(`${code}: ${message}`)}${takenBy(place, deliveries)}`),
    ...(advice === undefined ? [] : [field("what to do", advice)]),
  ];
}

function takenBy(place: string, deliveries: readonly Delivery[]): string {
  const of = deliveries.filter((delivery) => delivery.place === place);
  const names = (taken: boolean | null): string =>
    of.flatMap((delivery) => (delivery.taken === taken ? [delivery.function] : [])).join(", ");
  const [done, waiting] = [names(true), names(false)];
  return `${done && `; taken by ${done}`}${waiting && `; not yet by ${waiting}`}`;
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(24)}  ${text}`;
}

function event(at: EpochMs | null, name: string, text: string): string {
  return `  ${(at === null ? "at an unknown time" : iso(at)).padEnd(24)}  ${name.padEnd(11)} ${text}`;
}

function iso(time: EpochMs): string {
  return new Date(time).toISOString();
}
