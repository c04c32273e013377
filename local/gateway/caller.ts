import type { IncomingHttpHeaders } from "node:http";
import { isLoopbackHost } from "../../config/local.ts";
import { type CallerContext, callerContext } from "../../domain/caller.ts";

/**
 * What the authorizers would say of a caller. There are none here: an operator is who is at this machine, as a page of
 * its own or as a program. A page of another origin is not.
 */
export function callerOf({ host, origin }: IncomingHttpHeaders): CallerContext {
  return callerContext(isLoopbackHost(host) && (origin === undefined || isLoopbackHost(hostOf(origin))));
}

/** Of `null`, which a browser sends as the origin of some pages, and of what is no address: none. */
function hostOf(origin: string): string | undefined {
  return URL.parse(origin)?.host;
}
