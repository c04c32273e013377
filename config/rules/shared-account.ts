import type { Environment } from "../schema.ts";

/**
 * Why an environment can't be deployed beside others, one sentence each. Environments that name no account are taken to
 * share one: that of whoever deploys them.
 *
 * @param account Of who deploys it; undefined where that is not known yet.
 */
export function clashes(config: Environment, others: readonly Environment[], account = config.account): string[] {
  return others
    .filter(
      (other) =>
        other.name !== config.name &&
        other.region === config.region &&
        (other.account === account || other.account === config.account),
    )
    .flatMap((other) => {
      const where = `${other.name} is in the same region and account (${other.account ?? "neither names one"})`;
      return [
        ...(other.mqttPrefix === config.mqttPrefix
          ? [`mqttPrefix: ${config.mqttPrefix}, and ${where}: each would get the other's messages; choose another`]
          : []),
        ...(other.ownsAccountSettings && config.ownsAccountSettings
          ? [`ownsAccountSettings: true, and ${where}: each would set back what the other sets; one of them owns them`]
          : []),
      ];
    });
}
