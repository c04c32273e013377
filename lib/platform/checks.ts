import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { App, IPolicyValidationContext, PolicyValidationPluginReport } from "aws-cdk-lib";
import { AwsSolutionsChecks, NagRuleCompliance, type IApplyRule } from "cdk-nag";
import { acceptanceOf } from "../reusable/acknowledge.ts";

/** An accepted finding of cdk-nag, as `accepted-findings.json` lists it. */
export interface AcceptedFinding {
  readonly rule: string;
  readonly construct: string;
  /** The finding's text, for rules that find several things at one construct. */
  readonly finding?: string;
  readonly reason: string;
}

/** File with the accepted findings, beside the templates. */
export const ACCEPTED_FINDINGS_FILE = "accepted-findings.json";

/**
 * The AwsSolutions rules of cdk-nag, without the findings that are accepted at their resource with a reason. The texts
 * of findings have logical ids and references in them, so an acceptance matches the end of a text (see
 * `reusable/acknowledge.ts`).
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
          // A rule throws when it can't read a reference. That needs an acceptance, too.
          if (isAccepted()) return NagRuleCompliance.COMPLIANT;
          throw error;
        }
      },
    });
  }
}
