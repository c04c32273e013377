import { connect, type Socket } from "node:net";
import type { ISocketFactory } from "kafkajs";

/** The connections of one process, which can die. kafkajs opens lost connections again; a dead process does not. */
export class Connections {
  readonly #sockets = new Set<Socket>();
  #cut = false;

  /** The socket factory for a kafkajs client. @throws Error after `cut` */
  readonly open: ISocketFactory = ({ host, port, onConnect }) => {
    if (this.#cut) throw new Error("the process has crashed and opens no connections");
    const socket = connect({ host, port }, onConnect);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  };

  /** Destroys all connections, at once. No new ones are opened. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy(new Error("the process has crashed"));
  }
}
