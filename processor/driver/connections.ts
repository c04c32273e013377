import { connect, type Socket } from "node:net";
import type { ISocketFactory } from "kafkajs";

/** The connections of one process's life. kafkajs opens new ones when some are lost; a dead process does not. */
export class Connections {
  readonly #sockets = new Set<Socket>();
  #cut = false;

  /** For a kafkajs client. @throws Error after `cut`. */
  readonly open: ISocketFactory = ({ host, port, onConnect }) => {
    if (this.#cut) throw new Error("a crashed process connects to nothing");
    const socket = connect({ host, port }, onConnect);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  };

  /** Takes all of them away, at once and for good. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy(new Error("the process has crashed"));
  }
}
