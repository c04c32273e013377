import { assumptions } from "./assumptions.ts";
import { totalDollars, type CostLine } from "./estimate.ts";
import { type Price, prices, PRICES_AS_OF, PRICES_REGION, sources } from "./prices.ts";
import type { Workload } from "./workload.ts";

/** An estimate as text: services by their dollars, each with its lines, then what the estimate assumes. */
export function costReport(env: string, load: Workload, lines: readonly CostLine[]): string {
  const market = load.trades > 0 ? `; ${load.trades} trades/s of ${load.symbols} symbols` : "";
  return [
    `${env}: ${load.sensors} sensors at ${load.rateHz} Hz, ${load.format} messages of ${load.batchMs} ms${market}`,
    "",
    ...byService(lines).flatMap(({ service, of }) => [row(service, totalDollars(of)), ...of.map(detail)]),
    row("a month, US dollars", totalDollars(lines)),
    "",
    `List prices of ${PRICES_REGION} as of ${PRICES_AS_OF}; compare them with the sources before a decision depends ` +
      "on them. The estimate assumes:",
    ...assumptions.map((assumption) => `- ${assumption}`),
    "Sources:",
    ...Object.entries(sources).map(([name, address]) => `- ${name}: ${address}`),
    "",
  ].join("\n");
}

function byService(lines: readonly CostLine[]): { service: string; of: CostLine[] }[] {
  const services = [...new Set(lines.map(({ service }) => service))];
  return services
    .map((service) => ({ service, of: lines.filter((line) => line.service === service) }))
    .toSorted((a, b) => totalDollars(b.of) - totalDollars(a.of));
}

function row(what: string, dollars: number): string {
  return `${what.padEnd(52)}${dollars.toFixed(2).padStart(12)}`;
}

function detail({ what, quantity, price }: CostLine): string {
  const { dollars, per, source, asOf = PRICES_AS_OF }: Price = prices[price];
  return `  ${what.padEnd(30)}${quantity.toFixed(2).padStart(14)} × ${dollars} per ${per} (${source}, ${asOf})`;
}
