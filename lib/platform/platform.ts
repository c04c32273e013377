import { Validations, type App } from "aws-cdk-lib";
import type { Environment } from "../../config/schema.ts";
import type { MillraceStack } from "../constructs/millrace-stack.ts";
import { MonitoringStack } from "../monitoring/monitoring-stack.ts";
import { AccessStack } from "../stacks/access.ts";
import { AuditStack } from "../stacks/audit.ts";
import { DeliveryStack } from "../stacks/delivery.ts";
import { FeaturesStack } from "../stacks/features.ts";
import { IngestionStack } from "../stacks/ingestion.ts";
import { LakeStack } from "../stacks/lake.ts";
import { MarketStack } from "../stacks/market.ts";
import { NetworkStack } from "../stacks/network.ts";
import { OperationsStack } from "../stacks/operations.ts";
import { OperatorsStack } from "../stacks/operators.ts";
import { ProcessingStack } from "../stacks/processing.ts";
import { RehearsalStack } from "../stacks/rehearsal.ts";
import { SecurityStack } from "../stacks/security.ts";
import { ServingStack } from "../stacks/serving.ts";
import { StateStack } from "../stacks/state.ts";
import { StreamingStack } from "../stacks/streaming.ts";
import { WebStack } from "../stacks/web.ts";
import { SolutionsChecks } from "./checks.ts";

/**
 * Instantiates the stacks of one environment, those with data first. Each gets the stacks that it builds on. The synth
 * fails on a finding of cdk-nag that is not accepted at its resource.
 */
export function buildPlatform(app: App, config: Environment): MillraceStack[] {
  const security = new SecurityStack(app, "security", config);
  const network = new NetworkStack(app, "network", config, security);
  const streaming = new StreamingStack(app, "streaming", config, { network, security });
  const state = new StateStack(app, "state", config, { network, security });
  const lake = new LakeStack(app, "lake", config, { security });

  const market =
    config.processor.market === null ? [] : [new MarketStack(app, "market", config, { network, security, streaming })];

  const processing = new ProcessingStack(app, "processing", config, { network, security, streaming, state });
  const operations = new OperationsStack(app, "operations", config, {
    network,
    security,
    streaming,
    state,
    lake,
    processing,
  });
  const ingestion = new IngestionStack(app, "ingestion", config, { network, security, streaming, state, processing });
  const delivery = new DeliveryStack(app, "delivery", config, { security, streaming, lake });
  const features = new FeaturesStack(app, "features", config, { security, streaming, lake });
  const audit = new AuditStack(app, "audit", config, { security, streaming });
  const serving = new ServingStack(app, "serving", config, { network, security, streaming, state, processing, lake });
  const operators = config.operatorsApi
    ? new OperatorsStack(app, "operators", config, {
        network,
        security,
        streaming,
        state,
        operations,
        serving,
      })
    : undefined;
  const access = new AccessStack(app, "access", config, { security, state, lake, operations, operators });
  const web = new WebStack(app, "web", config, { serving, security });
  const monitoring = new MonitoringStack(app, "monitoring", config, {
    security,
    access,
    streaming,
    ingestion,
    processing,
    operations,
    lake,
    delivery,
    features,
    audit,
    serving,
    market: market[0],
  });

  Validations.of(app).addPlugins(new SolutionsChecks(app));
  return [
    security,
    network,
    streaming,
    state,
    lake,
    ...market,
    processing,
    operations,
    ingestion,
    delivery,
    features,
    audit,
    serving,
    ...(operators ? [operators] : []),
    access,
    web,
    monitoring,
  ];
}

/** The role that rehearses a deployment of an environment, in an app of its own. */
export function buildRehearsal(app: App, config: Environment): void {
  new RehearsalStack(app, "rehearsal", config);
  Validations.of(app).addPlugins(new SolutionsChecks(app));
}
