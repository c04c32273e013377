import { assumptions } from "./assumptions.ts";
import { totalDollars, type CostLine } from "./estimate.ts";
import { type Price, prices, PRICES_AS_OF, PRICES_REGION, sources } from "./prices.ts";
import type { Workload } from "./workload.ts";

/** An environment, and the lines of its estimate. */
export interface Estimated {
  readonly environment: string;
  readonly lines: readonly CostLine[];
}

/** An estimate as text: services by their dollars, each with its lines, then what the estimate assumes. */
export function costReport({ environment, lines }: Estimated, load: Workload): string {
  return [
    `${environment}: ${workloadText(load)}`,
    "",
    ...servicesOf(lines)
      .map((service) => lines.filter((line) => line.service === service))
      .toSorted((a, b) => totalDollars(b) - totalDollars(a))
      .flatMap((ofService) => [row(ofService[0]!.service, totalDollars(ofService)), ...ofService.map(detail)]),
    row("a month, US dollars", totalDollars(lines)),
    "",
    ...basis(),
  ].join("\n");
}

/**
 * Two estimates of one workload as text: services by how far they differ, each with its lines in dollars of both and
 * the second less the first, then the unit prices and what both estimates assume.
 */
export function comparisonReport(one: Estimated, other: Estimated, load: Workload): string {
  const all = [...one.lines, ...other.lines];
  const compared = (what: string, belongs: (line: CostLine) => boolean): readonly [string, number, number] => [
    what,
    totalDollars(one.lines.filter(belongs)),
    totalDollars(other.lines.filter(belongs)),
  ];
  const difference = ([, a, b]: readonly [string, number, number]): number => Math.abs(b - a);
  return [
    `${one.environment} and ${other.environment}: ${workloadText(load)}`,
    "",
    columns("US dollars a month", one.environment, other.environment, "difference"),
    ...servicesOf(all)
      .map((service) => compared(service, (line) => line.service === service))
      .toSorted((a, b) => difference(b) - difference(a))
      .flatMap((service) => [
        dollarColumns(service),
        ...linesOf(all, service[0]).map((name) =>
          dollarColumns(compared(`  ${name}`, ({ service: ofLine, what }) => ofLine === service[0] && what === name)),
        ),
      ]),
    dollarColumns(compared("in all", () => true)),
    "",
    "Unit prices:",
    ...[...new Set(all.map(({ price }) => price))].map((price) => `- ${price}: ${unitPrice(price)}`),
    "",
    ...basis(),
  ].join("\n");
}

function workloadText({ sensors, rateHz, format, batchMs, trades, symbols }: Workload): string {
  const market = trades > 0 ? `; ${trades} trades/s of ${symbols} symbols` : "";
  return `${sensors} sensors at ${rateHz} Hz, ${format} messages of ${batchMs} ms${market}`;
}

function basis(): string[] {
  return [
    `List prices of ${PRICES_REGION} as of ${PRICES_AS_OF}; compare them with the sources before a decision depends ` +
      "on them. The estimate assumes:",
    ...assumptions.map((assumption) => `- ${assumption}`),
    "Sources:",
    ...Object.entries(sources).map(([name, address]) => `- ${name}: ${address}`),
    "",
  ];
}

const servicesOf = (lines: readonly CostLine[]): string[] => [...new Set(lines.map(({ service }) => service))];

const linesOf = (lines: readonly CostLine[], service: string): string[] => [
  ...new Set(lines.filter((line) => line.service === service).map(({ what }) => what)),
];

function row(what: string, dollars: number): string {
  return `${what.padEnd(52)}${dollars.toFixed(2).padStart(12)}`;
}

function columns(what: string, ...texts: readonly string[]): string {
  return `${what.padEnd(36)}${texts.map((text) => text.padStart(14)).join("")}`;
}

function dollarColumns([what, a, b]: readonly [string, number, number]): string {
  return columns(what, a.toFixed(2), b.toFixed(2), `${b > a ? "+" : ""}${(b - a).toFixed(2)}`);
}

function detail({ what, quantity, price }: CostLine): string {
  return `  ${what.padEnd(30)}${quantity.toFixed(2).padStart(14)} × ${unitPrice(price)}`;
}

function unitPrice(price: CostLine["price"]): string {
  const { dollars, per, source, asOf = PRICES_AS_OF }: Price = prices[price];
  return `${dollars} per ${per} (${source}, ${asOf})`;
}
