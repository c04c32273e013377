import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { App, IPolicyValidationContext, PolicyValidationPluginReport } from "aws-cdk-lib";
import { AwsSolutionsChecks, NagRuleCompliance, type IApplyRule } from "cdk-nag";
import { acceptanceOf } from "./constructs/acknowledge.ts";

/** One finding of cdk-nag that was accepted, as `accepted-findings.json` beside the templates lists them. */
export interface AcceptedFinding {
  readonly rule: string;
  readonly construct: string;
  /** What was found, for rules that find several things. */
  readonly finding?: string;
  readonly reason: string;
}

/** File with the accepted findings, beside the templates. */
export const ACCEPTED_FINDINGS_FILE = "accepted-findings.json";

/**
 * Cdk-nag's AwsSolutions rules, less what is accepted at its resource with a reason. Findings have logical ids and
 * references in their texts, so they are accepted by how they end (see `constructs/acknowledge.ts`).
 */
export class SolutionsChecks extends AwsSolutionsChecks {
  readonly #app: App;
  readonly #accepted: AcceptedFinding[] = [];

  constructor(app: App) {
    super(app);
    this.#app = app;
  }

  override validate(context: IPolicyValidationContext): PolicyValidationPluginReport {
    this.#accepted.length = 0;
    const report = super.validate(context);
    writeFileSync(join(this.#app.outdir, ACCEPTED_FINDINGS_FILE), `${JSON.stringify(this.#accepted, null, 2)}\n`);
    return report;
  }

  protected override applyRule(params: IApplyRule): void {
    const rule = params.ruleSuffixOverride ?? params.rule.name;
    const { node } = params;
    const isAccepted = (finding?: string): boolean => {
      const acceptance = acceptanceOf(node, rule, finding);
      if (acceptance)
        this.#accepted.push({
          rule,
          construct: node.node.path,
          ...(finding === undefined ? {} : { finding }),
          reason: acceptance.reason,
        });
      return acceptance !== undefined;
    };
    super.applyRule({
      ...params,
      ruleSuffixOverride: rule,
      rule: (resource) => {
        try {
          const result = params.rule(resource);
          if (Array.isArray(result)) return result.filter((finding) => !isAccepted(finding));
          return result === NagRuleCompliance.NON_COMPLIANT && isAccepted() ? NagRuleCompliance.COMPLIANT : result;
        } catch (error) {
          // A rule that can't read a reference throws; that too is accepted only by name.
          if (isAccepted()) return NagRuleCompliance.COMPLIANT;
          throw error;
        }
      },
    });
  }
}
