import { aws_cloudwatch as cloudwatch, Duration } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import type { AlarmSpec } from "../../domain/alarm-spec.ts";
import { isOutage, outages, SETTLE_MS } from "../../domain/alarms.ts";
import { resourceName } from "../names.ts";
import type { EnvironmentAlarm } from "./alarms.ts";

/** How long an alarm that an outage may explain waits for the alarm of the outage, before it tells somebody. */
const WAIT = Duration.minutes(2);

const comparisons = {
  ">": cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
  "<": cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
  "<=": cloudwatch.ComparisonOperator.LESS_THAN_OR_EQUAL_TO_THRESHOLD,
} as const;

/**
 * The alarms in CloudWatch. One that others explain has no action: its composite alarm has it, which is quiet while one
 * of those is on, so that an outage tells somebody once.
 */
export class AlarmSet {
  readonly #scope: Construct;
  readonly #config: Environment;
  /** By the name in the table; several where it is one for each resource. */
  readonly #alarms = new Map<string, cloudwatch.Alarm[]>();

  /** @param actionOf What an alarm does when it comes on, and when it clears */
  constructor(
    scope: Construct,
    config: Environment,
    alarms: readonly EnvironmentAlarm[],
    actionOf: (spec: AlarmSpec) => cloudwatch.IAlarmAction,
  ) {
    this.#scope = scope;
    this.#config = config;
    for (const [spec, ofSpec] of Map.groupBy(alarms, (alarm) => alarm.spec))
      this.#alarms.set(
        spec.name,
        ofSpec.map((alarm) => this.#alarm(alarm)),
      );
    const outage = this.#outage();
    for (const spec of new Set(alarms.map((alarm) => alarm.spec))) {
      const explained = this.#explained(spec, outage);
      for (const alarm of explained ? [explained] : this.#alarms.get(spec.name)!) {
        alarm.addAlarmAction(actionOf(spec));
        alarm.addOkAction(actionOf(spec));
      }
    }
  }

  #description({ severity, means, affects, runbook }: AlarmSpec): string {
    const { runbooksUrl } = this.#config.alarms;
    const page =
      runbooksUrl === null ? `docs/runbooks/${runbook}.md` : `${runbooksUrl.replace(/\/$/, "")}/${runbook}.md`;
    return `${severity}: ${means}. Affects: ${affects}. Runbook: ${page}`;
  }

  #alarm({ name, spec, metric }: EnvironmentAlarm): cloudwatch.Alarm {
    return new cloudwatch.Alarm(this.#scope, `Alarm-${name}`, {
      alarmName: resourceName(this.#config, name),
      alarmDescription: this.#description(spec),
      metric,
      threshold: spec.threshold,
      evaluationPeriods: spec.periods,
      comparisonOperator: comparisons[spec.comparison],
      treatMissingData: cloudwatch.TreatMissingData[spec.missing === "breaching" ? "BREACHING" : "NOT_BREACHING"],
    });
  }

  #named(names: readonly string[]): cloudwatch.Alarm[] {
    return names.flatMap((name) => this.#alarms.get(name) ?? []);
  }

  /** On while anything stops the whole stream; nobody is told of it, but by the alarms in it. */
  #outage(): cloudwatch.IAlarm {
    return new cloudwatch.CompositeAlarm(this.#scope, "Alarm-outage", {
      compositeAlarmName: resourceName(this.#config, "outage"),
      alarmDescription: "The whole stream stands; the alarms in it say why. It keeps those quiet that it explains.",
      alarmRule: cloudwatch.AlarmRule.anyOf(...this.#named(outages)),
    });
  }

  /** The composite alarm in place of alarms that others explain. */
  #explained(spec: AlarmSpec, outage: cloudwatch.IAlarm): cloudwatch.CompositeAlarm | undefined {
    const { suppressedBy = [], name } = spec;
    if (this.#named(suppressedBy).length === 0) return undefined;
    const others = this.#named(suppressedBy.filter((cause) => !isOutage(cause)));
    const isOn = cloudwatch.AlarmRule.anyOf(...this.#named([name]));
    const isExplained = cloudwatch.AlarmRule.anyOf(...others);
    return new cloudwatch.CompositeAlarm(this.#scope, `Unexplained-${name}`, {
      compositeAlarmName: resourceName(this.#config, `${name}-unexplained`),
      alarmDescription: this.#description(spec),
      alarmRule: others.length > 0 ? cloudwatch.AlarmRule.allOf(isOn, cloudwatch.AlarmRule.not(isExplained)) : isOn,
      ...(suppressedBy.some(isOutage)
        ? {
            actionsSuppressor: outage,
            actionsSuppressorWaitPeriod: WAIT,
            actionsSuppressorExtensionPeriod: Duration.millis(SETTLE_MS),
          }
        : {}),
    });
  }
}
