import { type aws_apigateway as apigateway, aws_wafv2 as waf } from "aws-cdk-lib";
import type { Construct } from "constructs";

/** Requests from one address within five minutes. The firewall refuses an address that sends more. */
const REQUESTS_PER_ADDRESS = 2_000;

/** AWS's rules against known attacks, in the order in which they are applied. */
const managedRules = [
  "AWSManagedRulesCommonRuleSet",
  "AWSManagedRulesKnownBadInputsRuleSet",
  "AWSManagedRulesAmazonIpReputationList",
];

/** Puts a web ACL before a stage of a REST API: AWS's managed rules, and a limit per address. */
export function firewall(scope: Construct, name: string, stage: apigateway.Stage): waf.CfnWebACL {
  const webAcl = new waf.CfnWebACL(scope, "Firewall", {
    name,
    scope: "REGIONAL",
    defaultAction: { allow: {} },
    visibilityConfig: visibility(name),
    rules: [...managedRules.map(managedRule), addressLimit(managedRules.length)],
  });
  new waf.CfnWebACLAssociation(scope, "FirewallAssociation", {
    webAclArn: webAcl.attrArn,
    resourceArn: stage.stageArn,
  });
  return webAcl;
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

function addressLimit(priority: number): waf.CfnWebACL.RuleProperty {
  return {
    name: "per-address",
    priority,
    action: { block: {} },
    statement: {
      rateBasedStatement: { limit: REQUESTS_PER_ADDRESS, aggregateKeyType: "IP", evaluationWindowSec: 300 },
    },
    visibilityConfig: visibility("per-address"),
  };
}

function visibility(metricName: string): waf.CfnWebACL.VisibilityConfigProperty {
  return { cloudWatchMetricsEnabled: true, sampledRequestsEnabled: true, metricName };
}
