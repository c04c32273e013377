import type { BootFacts } from "../../runtime/facts.ts";
import { printable } from "../dead-letters/letters.ts";
import type { Report } from "./report.ts";
import { iso, seconds } from "./why.ts";

/** Windows, boots and intervals that are printed, of each; `--json` has all. */
const MAX_LINES = 20;

/** A report as somebody on call reads it. */
export function reportText(report: Report): string {
  const { key, presence, task, snapshot, log, committed, reached, stepped, maxEventTime, watermark } = report;
  const lines = [
    `${printable(key)}: ${presence}`,
    field("task", task),
    field("snapshot", snapshotText(snapshot)),
    field("log", `has the offsets ${log.earliest} to ${log.latest}; committed ${below(committed)}`),
    field("shown", `the state behind offset ${reached}: ${stepped} records behind the snapshot were stepped here`),
    field("newest reading", iso(maxEventTime)),
    field("watermark", `of the ${watermark.scope}: ${watermark.why}`),
    ...windowLines(report),
    ...sessionLines(report),
    ...(report.waiting ? [field("order buffer", printable(report.waiting.why))] : []),
    ...seenLines(report),
    ...(report.trades === null ? [] : [field("trades", `${report.trades} ids are kept`)]),
  ];
  return `${lines.join("\n")}\n`;
}

function snapshotText(snapshot: Report["snapshot"]): string {
  if (!snapshot) return "none";
  const { generation, nextOffset, clock, age } = snapshot;
  const upTo = `${iso(clock)} (${seconds(age)} ago)`;
  return `generation ${generation}, covers the offsets below ${nextOffset}, records up to ${upTo}`;
}

function windowLines({ openWindows, firedWindows, window }: Report): string[] {
  const shown = openWindows.slice(0, MAX_LINES);
  return [
    ...(window ? [field("asked about", `${window.operator} ${interval(window)}: ${window.why}`)] : []),
    ...shown.map((one) =>
      field("open window", `${one.operator} ${interval(one)}, ${one.count} in it${again(one.fired)}: ${one.why}`),
    ),
    ...(openWindows.length > shown.length ? [field("more", `${openWindows.length - shown.length} open windows`)] : []),
    field("windows", `${openWindows.length} wait to fire; ${firedWindows} have fired and still take late readings`),
  ];
}

function sessionLines({ openSessions, endedSessions }: Report): string[] {
  return [
    ...openSessions.map(({ start, last, samples, ended, why }) =>
      field(
        "open session",
        `since ${iso(start)}, last sample ${iso(last)}, ${samples} samples${again(ended)}: it ${why}`,
      ),
    ),
    ...(endedSessions > 0 ? [field("sessions", `${endedSessions} have ended and still take late readings`)] : []),
  ];
}

function seenLines({ seen }: Report): string[] {
  if (!seen) return [];
  const { boots, letGoBoots } = seen;
  const newest = boots.slice(-MAX_LINES);
  return [
    ...(boots.length > newest.length ? [field("more", `${boots.length - newest.length} older boots`)] : []),
    ...newest.map((boot) => field("boot", printable(bootText(boot)))),
    ...(letGoBoots > 0 ? [field("let go", `${letGoBoots} boots, of which only a hash is kept`)] : []),
  ];
}

function bootText({ boot, floor, intervals, newest }: BootFacts): string {
  const shown = intervals
    .slice(-MAX_LINES)
    .map(([first, last]) => (first === last ? `${first}` : `${first} to ${last}`));
  const before = intervals.length > shown.length ? `${intervals.length - shown.length} intervals, ` : "";
  const below = floor > 0 ? `; below ${floor} it is not known` : "";
  return (
    `${boot ?? "(none)"}: last number ${intervals.at(-1)?.[1] ?? "none"}, seen ${before}${shown.join(", ")}${below}; ` +
    `newest reading ${iso(newest)}`
  );
}

function below(offset: number | null): string {
  return offset === null ? "nothing" : `below ${offset}`;
}

function again(times: number): string {
  return times === 0 ? "" : `, out ${times} ${times === 1 ? "time" : "times"} before`;
}

function interval({ start, end }: { readonly start: number; readonly end: number }): string {
  return `[${iso(start)}, ${iso(end)})`;
}

function field(name: string, text: string): string {
  return `  ${name.padEnd(14)}  ${text}`;
}
