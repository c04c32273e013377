import { type aws_apigateway as apigateway, aws_wafv2 as waf } from "aws-cdk-lib";
import { Construct } from "constructs";

const REQUESTS_PER_ADDRESS = 2_000;
const managedRules = [
  "AWSManagedRulesCommonRuleSet",
  "AWSManagedRulesKnownBadInputsRuleSet",
  "AWSManagedRulesAmazonIpReputationList",
] as const;

export interface RestFirewallProps {
  /** Name of the web ACL and of its metric. */
  readonly name: string;
  readonly stage: apigateway.Stage;
  /**
   * Requests from one address within five minutes: an address that sends more is refused.
   *
   * @default 2000
   */
  readonly requestsPerAddress?: number;
  /**
   * AWS's groups of rules against known attacks, in the order in which they are applied.
   *
   * @default the common rules, known bad inputs, addresses of bad reputation
   */
  readonly managedRules?: readonly string[];
}

/** A web ACL before a stage of a REST API: AWS's managed rules, and a limit per address. */
export class RestFirewall extends Construct {
  readonly webAcl: waf.CfnWebACL;

  constructor(scope: Construct, id: string, props: RestFirewallProps) {
    super(scope, id);
    const groups = props.managedRules ?? managedRules;
    // The id that leaves no trace in the logical id: a web ACL that is made anew under its name is refused.
    this.webAcl = new waf.CfnWebACL(this, "Default", {
      name: props.name,
      scope: "REGIONAL",
      defaultAction: { allow: {} },
      visibilityConfig: visibility(props.name),
      rules: [
        ...groups.map(managedRule),
        addressLimit(groups.length, props.requestsPerAddress ?? REQUESTS_PER_ADDRESS),
      ],
    });
    new waf.CfnWebACLAssociation(scope, `${id}Association`, {
      webAclArn: this.webAcl.attrArn,
      resourceArn: props.stage.stageArn,
    });
  }
}

function managedRule(name: string, priority: number): waf.CfnWebACL.RuleProperty {
  return {
    name,
    priority,
    overrideAction: { none: {} },
    statement: { managedRuleGroupStatement: { vendorName: "AWS", name } },
    visibilityConfig: visibility(name),
  };
}

function addressLimit(priority: number, limit: number): waf.CfnWebACL.RuleProperty {
  return {
    name: "per-address",
    priority,
    action: { block: {} },
    statement: { rateBasedStatement: { limit, aggregateKeyType: "IP", evaluationWindowSec: 300 } },
    visibilityConfig: visibility("per-address"),
  };
}

function visibility(metricName: string): waf.CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName };
}
