import {
  ArnFormat,
  type aws_dynamodb as dynamodb,
  type aws_iam as iam,
  type aws_kms as kms,
  type Stack,
} from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import { eventBusName } from "../../domain/market.ts";
import { resourceName, SMOKE_DEVICE_PREFIX } from "../names.ts";
import { acknowledgeWildcards } from "../reusable/acknowledge.ts";
import { allow, allowTable } from "../reusable/grants.ts";

export interface SmokeNeeds {
  /** The registry of devices. */
  readonly devices: dynamodb.ITable;
  /** The registry's key. */
  readonly key: kms.IKey;
}

/** Lets a role be the smoke test's device, user and producer, and ask the functions that try Kafka and the features. */
export function letSmoke(role: iam.Role, stack: Stack, config: Environment, { devices, key }: SmokeNeeds): void {
  const arn = (service: string, resource: string, name: string): string =>
    stack.formatArn({ service, resource, resourceName: name });
  allowTable(role, devices, key, ["DeleteItem", "PutItem"], {
    "ForAllValues:StringLike": { "dynamodb:LeadingKeys": `${SMOKE_DEVICE_PREFIX}*` },
  });
  allow(role, ["iot:CreateProvisioningClaim"], [arn("iot", "provisioningtemplate", resourceName(config, "sensor"))]);
  allow(role, ["iot:DeleteThing", "iot:ListThingPrincipals"], [arn("iot", "thing", `${SMOKE_DEVICE_PREFIX}*`)]);
  allow(
    role,
    ["iot:DeleteCertificate", "iot:DetachThingPrincipal", "iot:UpdateCertificate"],
    [arn("iot", "cert", "*")],
  );
  allow(
    role,
    ["lambda:InvokeFunction"],
    ["check-features", "consume-test", "produce-test"].map((name) =>
      stack.formatArn({
        service: "lambda",
        resource: `function:${resourceName(config, name)}`,
        arnFormat: ArnFormat.NO_RESOURCE_NAME,
      }),
    ),
  );
  if (config.processor.market !== null)
    allow(role, ["events:PutEvents"], [arn("events", "event-bus", eventBusName(config.name))]);
  if (config.api.auth?.cognito === true && !config.retainData)
    letAddUsers(role, arn("cognito-idp", "userpool", "*"), config);
  acknowledgeWildcards(role, {
    [`:thing/${SMOKE_DEVICE_PREFIX}*`]: "the smoke test makes up a device",
    ":cert/*": "a certificate's id is made up when the device gets it",
  });
}

/** What the smoke test does to sign in as a user of its own. The id of a pool is made later: its tag names it. */
function letAddUsers(role: iam.Role, pools: string, config: Environment): void {
  allow(
    role,
    [
      "cognito-idp:AdminCreateUser",
      "cognito-idp:AdminDeleteUser",
      "cognito-idp:AdminInitiateAuth",
      "cognito-idp:AdminSetUserPassword",
    ],
    [pools],
    { StringEquals: { "aws:ResourceTag/project": "millrace", "aws:ResourceTag/environment": config.name } },
  );
  acknowledgeWildcards(role, { ":userpool/*": "the user pool with the environment's tags: its id is made later" });
}
