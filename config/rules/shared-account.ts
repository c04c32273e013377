import type { Environment } from "../schema.ts";

/**
 * Why an environment can't be deployed beside others, one sentence each. Environments that name no account are taken to
 * share one: that of whoever deploys them.
 */
export function clashes(config: Environment, others: readonly Environment[]): string[] {
  return others
    .filter(
      ({ name, region, account }) => name !== config.name && region === config.region && account === config.account,
    )
    .flatMap((other) => {
      const where = `${other.name} is in the same region and account (${config.account ?? "neither names one"})`;
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
