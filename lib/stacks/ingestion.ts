import { aws_iot as iot, type aws_sqs as sqs } from "aws-cdk-lib";
import type { Construct } from "constructs";
import type { Environment } from "../../config/schema.ts";
import { writeSettings } from "../../config/settings.ts";
import { MQTT_TOPIC_PREFIX, mqttTopic, rejectedTopic } from "../../domain/imu.ts";
import { ownAccountSettings } from "../constructs/iot-account-settings.ts";
import { logPresence } from "../constructs/iot-presence.ts";
import { MillraceFunction } from "../constructs/millrace-function.ts";
import { MillraceStack } from "../constructs/millrace-stack.ts";
import { resourceName } from "../names.ts";
import { acknowledgeCdkFunctions } from "../reusable/acknowledge.ts";
import type { ContainerService } from "../reusable/container-service.ts";
import { DeviceFleet } from "../reusable/device-fleet.ts";
import { FailureQueue } from "../reusable/failure-queue.ts";
import { allowTable } from "../reusable/grants.ts";
import { bridges, type BridgeNeeds } from "./bridges.ts";
import type { StateStack } from "./state.ts";

export interface IngestionNeeds extends BridgeNeeds {
  readonly state: StateStack;
}

/** IoT Core (devices, their rights, their logs), and the bridge that takes their messages to Kafka. */
export class IngestionStack extends MillraceStack {
  readonly bridges: readonly ContainerService[];
  /** Events that an IoT rule could not write. */
  readonly ruleFailures: sqs.Queue;
  readonly admitDevice: MillraceFunction;

  constructor(scope: Construct, id: string, config: Environment, needs: IngestionNeeds) {
    super(scope, id, { config, stateful: false, description: "IoT Core and the bridge" });
    const { security } = needs;
    this.admitDevice = this.#admitDevice(needs);
    const { thingGroup } = new DeviceFleet(this, "Fleet", {
      namePrefix: resourceName(config, "").slice(0, -1),
      description: `publishes motion readings to ${mqttTopic(config.mqttPrefix, `${MQTT_TOPIC_PREFIX}{sensorId}`)}`,
      hook: this.admitDevice.function,
      publishTopic: (sensor) => mqttTopic(config.mqttPrefix, MQTT_TOPIC_PREFIX + sensor),
      noticeTopic: (sensor) => mqttTopic(config.mqttPrefix, rejectedTopic(sensor)),
    });
    this.ruleFailures = new FailureQueue(this, "RuleFailures", {
      queueName: resourceName(config, "iot-rule-failures"),
      key: security.keys.operations,
    });
    logPresence(this, this.ruleFailures, security.keys.operations);
    const logging = config.ownsAccountSettings ? ownAccountSettings(this, security.keys.operations) : undefined;
    const fleetLogging = new iot.CfnResourceSpecificLogging(this, "FleetLogging", {
      targetType: "THING_GROUP",
      targetName: thingGroup.ref,
      logLevel: config.retainData ? "WARN" : "INFO",
    });
    fleetLogging.addResourceDependency(thingGroup);
    // IoT Core refuses the level of a group while the account has no options of its log.
    if (logging) fleetLogging.addResourceDependency(logging);
    this.bridges = bridges(this, needs);
    acknowledgeCdkFunctions(this, "AWS679f53fac002430cb0da5b7982bd2287", "makes one AWS call for a custom resource");
  }

  #admitDevice({ security, state }: IngestionNeeds): MillraceFunction {
    const { devices } = state.tables;
    const handler = new MillraceFunction(this, {
      name: "admit-device",
      description: "pre-provisioning hook: registered devices get a certificate, once",
      environment: writeSettings("devices", { environment: this.config.name, devicesTable: devices.tableName }),
      timeoutSeconds: 5,
      memoryMiB: 256,
      key: security.keys.operations,
      reservedConcurrency: 10,
    });
    allowTable(handler, devices, security.keys.state, ["GetItem", "UpdateItem"]);
    return handler;
  }
}
