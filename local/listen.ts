import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LOOPBACK } from "../config/local.ts";
import { MillraceError } from "../domain/errors.ts";

/** Binds to loopback; port 0 takes a free one. Resolves with the port. @throws MillraceError `port-taken` */
export function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(
        error.code === "EADDRINUSE"
          ? new MillraceError("port-taken", `port ${port} is in use: stop what listens there, or choose another port`, {
              cause: error,
            })
          : error,
      ),
    );
    server.listen(port, LOOPBACK, () => resolve((server.address() as AddressInfo).port));
  });
}
