// A stack of somebody else's, from three constructs of lib/reusable: scales that weigh parcels register themselves, and
// orders come in as events. It uses nothing else of Millrace, and no config of it.
//   npx cdk synth --app "node examples/parcels/main.ts"
import { App, aws_iam as iam, aws_kms as kms, aws_lambda as lambda, Duration, Stack } from "aws-cdk-lib";
import { DeviceFleet } from "../../lib/reusable/device-fleet.ts";
import { EventIntake } from "../../lib/reusable/event-intake.ts";
import { NodeFunction } from "../../lib/reusable/node-function.ts";

/** Admits the scales of one make. */
const HOOK = `exports.handler = async ({ parameters }) =>
  ({ allowProvisioning: parameters.SerialNumber.startsWith("acme-") });`;

const stack = new Stack(new App(), "parcels");
const key = new kms.Key(stack, "Key", { enableKeyRotation: true });
for (const service of ["logs", "events"]) key.grantEncryptDecrypt(new iam.ServicePrincipal(`${service}.amazonaws.com`));

const admit = new NodeFunction(stack, "Admit", {
  functionName: "parcels-admit-scale",
  description: "admits a scale that registers itself",
  code: lambda.Code.fromInline(HOOK),
  timeoutSeconds: 5,
  memoryMiB: 128,
  key,
  logGroupName: "/parcels/admit-scale",
});

new DeviceFleet(stack, "Scales", {
  namePrefix: "parcels",
  hook: admit.function,
  publishTopic: (scale) => `parcels/weights/${scale}`,
});

new EventIntake(stack, "Orders", {
  eventBusName: "parcels-orders",
  name: "parcels-orders",
  what: "orders",
  detailType: "Order",
  description: "orders of the shops",
  key,
  visibilityTimeout: Duration.minutes(1),
});
