import Connection from "kafkajs/src/network/connection.js";

const { connect, disconnect } = Connection.prototype;
/** Attempts to connect that are under way. */
const attempts = new WeakMap<Connection, Promise<boolean>>();

/**
 * Makes requests that find a connection closed wait for the same attempt.
 *
 * In kafkajs 2.2.4 each of them opens a socket, and the connection forgets all but the last. Nothing ever closes the
 * others. When the broker does, after `connections.max.idle.ms`, kafkajs fails the requests of the last one, too.
 */
Connection.prototype.connect = function connectOnce(this: Connection): Promise<boolean> {
  const underWay = attempts.get(this);
  if (underWay) return underWay;
  const attempt = connect.call(this).finally(() => {
    if (attempts.get(this) === attempt) attempts.delete(this);
  });
  attempts.set(this, attempt);
  return attempt;
};

/** An attempt that a disconnect has come across may never be answered. */
Connection.prototype.disconnect = function disconnectOnce(this: Connection): Promise<boolean> {
  attempts.delete(this);
  return disconnect.call(this);
};
