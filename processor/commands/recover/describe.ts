import { recoveryChoices } from "../../engine/recovery-choices.ts";
import type { Diagnosis } from "../../engine/recovery.ts";
import { codeOf } from "../../engine/starting-point.ts";

/** A diagnosis as somebody on call reads it. */
export function describe({ task, progress, manifest, log, problem, choices }: Diagnosis): string {
  const covers = manifest?.covers;
  const committed = progress
    ? `below offset ${progress.nextOffset}, chain ${progress.chain}, by ${codeOf(progress)}`
    : "nothing";
  const snapshot = covers
    ? `covers offsets below ${covers.nextOffset}, chain ${covers.chain}, by ${codeOf(covers)}`
    : "none";
  const lines = [
    `${task}: ${problem ? problem.code : "well"}`,
    `  committed  ${committed}`,
    `  snapshot   ${snapshot}`,
    `  log        has offsets ${log.earliest} to ${log.latest}`,
  ];
  if (problem) {
    lines.push(`  problem    ${problem.message}`);
    for (const choice of choices)
      lines.push(`  choice     --task ${task} --choice ${choice}: ${recoveryChoices[choice]}`);
  }
  return lines.join("\n");
}
