import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LOOPBACK } from "../../config/local.ts";
import { MillraceError } from "../../domain/errors.ts";

/**
 * Makes a server listen on loopback. Port 0 means any free port. Resolves with the port.
 *
 * @throws MillraceError `port-taken`
 */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const message = `port ${port} is in use: stop the process that listens there, or choose another port`;
      reject(cause.code === "EADDRINUSE" ? new MillraceError("port-taken", message, { cause }) : cause);
    });
    server.listen(port, LOOPBACK, () => resolve((server.address() as AddressInfo).port));
  });
}
