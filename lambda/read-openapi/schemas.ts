import { z } from "zod";
import {
  activityStretch,
  alert,
  bar,
  deadLetter,
  health,
  listedDeadLetter,
  marketSymbol,
  page,
  position,
  problem,
  root,
  sensor,
  sensorFeatures,
  sensorWindow,
  session,
  symbolFeatures,
} from "../../domain/api.ts";

export const OPEN_API = "3.1.0";

/** What the routes answer, by the names of the document. */
export const schemas = {
  Root: root,
  Health: health,
  Session: session,
  SessionPage: page(session),
  Sensor: sensor,
  SensorPage: page(sensor),
  Window: sensorWindow,
  WindowPage: page(sensorWindow),
  ActivityStretch: activityStretch,
  ActivityPage: page(activityStretch),
  Features: sensorFeatures,
  DeadLetter: deadLetter,
  DeadLetterPage: page(listedDeadLetter),
  Symbol: marketSymbol,
  SymbolPage: page(marketSymbol),
  Bar: bar,
  BarPage: page(bar),
  SymbolFeatures: symbolFeatures,
  Position: position,
  PositionPage: page(position),
  Alert: alert,
  AlertPage: page(alert),
  OpenApi: z.looseObject({ openapi: z.literal(OPEN_API) }).describe("an OpenAPI document"),
  Problem: problem,
};
