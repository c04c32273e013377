import { constraintError } from "../aws/json-protocol.ts";
import { ServiceError } from "../aws/service-error.ts";

/** Limits of the service, as in "PutEvents" and "Amazon EventBridge quotas" (1 MB since January 2026). */
export const limits = { entries: 10, requestBytes: 1024 * 1024 } as const;

/** What the size of an entry counts for its time. */
const TIME_BYTES = 14;
/** Account of the events; there is none on one machine. */
const ACCOUNT = "000000000000";
/** Bus of entries that name none. */
const DEFAULT_BUS = "default";

/** An entry of PutEvents that the service takes. */
export interface Entry {
  readonly source: string;
  readonly detailType: string;
  /** JSON of an object. */
  readonly detail: string;
  /** Name of the bus, without the rest of its ARN. */
  readonly bus: string;
  /** Epoch ms. @default when the entry arrives */
  readonly timeMs: number | undefined;
  readonly resources: readonly string[];
  readonly traceHeader: string | undefined;
}

/** An entry that fails, while the others of its request may succeed. */
export interface FailedEntry {
  readonly ErrorCode: string;
  readonly ErrorMessage: string;
}

/**
 * The entries of a PutEvents request, each checked as the service does it.
 *
 * @throws ServiceError when the service refuses the whole request
 */
export function readEntries(body: Readonly<Record<string, unknown>>): (Entry | FailedEntry)[] {
  const entries = body["Entries"];
  if (entries === undefined || entries === null) throw constraintError("entries", "not be null");
  if (!Array.isArray(entries)) throw wrongType("entries", "an array");
  if (entries.length < 1) throw constraintError("entries", "have length greater than or equal to 1");
  if (entries.length > limits.entries)
    throw constraintError("entries", `have length less than or equal to ${limits.entries}`);
  const members = entries.map((entry, i) => readMembers(entry, `entries.${i + 1}.member`));
  if (members.reduce((sum, each) => sum + sizeOf(each), 0) > limits.requestBytes)
    throw new ServiceError("ValidationException", 400, "Total size of the entries in the request is over the limit.");
  return members.map(check);
}

/** The event that a rule sees, and its target gets: its detail as it was sent. */
export function eventJson(entry: Entry, id: string, nowMs: number, region: string): string {
  const envelope = {
    version: "0",
    id,
    "detail-type": entry.detailType,
    source: entry.source,
    account: ACCOUNT,
    time: `${new Date(entry.timeMs ?? nowMs).toISOString().slice(0, 19)}Z`,
    region,
    resources: entry.resources,
  };
  return `${JSON.stringify(envelope).slice(0, -1)},"detail":${entry.detail}}`;
}

type Members = { readonly [Name in "Source" | "DetailType" | "Detail" | "EventBusName" | "TraceHeader"]?: string } & {
  readonly Resources: readonly string[];
  readonly Time?: number;
};

const texts = ["Source", "DetailType", "Detail", "EventBusName", "TraceHeader"] as const;
/** What JavaScript's dates hold, in seconds. */
const MAX_TIME = 8.64e12;

function readMembers(entry: unknown, where: string): Members {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) throw wrongType(where, "an object");
  const given = Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== null));
  for (const name of texts)
    if (given[name] !== undefined && typeof given[name] !== "string") throw wrongType(`${where}.${name}`, "a string");
  const { Resources: resources = [], Time: time } = given;
  if (!Array.isArray(resources) || resources.some((resource) => typeof resource !== "string"))
    throw wrongType(`${where}.Resources`, "an array of strings");
  if (time !== undefined && !(typeof time === "number" && Math.abs(time) <= MAX_TIME))
    throw wrongType(`${where}.Time`, "a number: seconds since 1970");
  return { ...given, Resources: resources as string[] };
}

/** As the user guide calculates it. */
function sizeOf({ Time, Source = "", DetailType = "", Detail = "", Resources }: Members): number {
  const bytes = [Source, DetailType, Detail, ...Resources].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return bytes + (Time === undefined ? 0 : TIME_BYTES);
}

/** The service names the first problem alone. */
function check(members: Members): Entry | FailedEntry {
  const { Source, DetailType, Detail, EventBusName, TraceHeader, Time, Resources } = members;
  if (!Source) return missing("Source");
  if (Source.startsWith("aws."))
    return { ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source." };
  if (!DetailType) return missing("DetailType");
  if (!Detail) return missing("Detail");
  if (!isObject(Detail)) return { ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed." };
  return {
    source: Source,
    detailType: DetailType,
    detail: Detail,
    // The name, or an ARN that ends in event-bus/<name>.
    bus: EventBusName ? EventBusName.slice(EventBusName.lastIndexOf("/") + 1) : DEFAULT_BUS,
    timeMs: Time === undefined ? undefined : Time * 1_000,
    resources: Resources,
    traceHeader: TraceHeader,
  };
}

function missing(name: string): FailedEntry {
  return {
    ErrorCode: "InvalidArgument",
    ErrorMessage: `Parameter ${name} is not valid. Reason: ${name} is a required argument.`,
  };
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

function wrongType(where: string, expected: string): ServiceError {
  return new ServiceError("SerializationException", 400, `${where} is not ${expected}`);
}
