import { expect, test } from "@jest/globals";
import { KeptConnection } from "../../ops/kept-connection.ts";

/** Connections are numbers; `events` has what was done with them. */
function kept(): { readonly connection: KeptConnection<number>; readonly events: string[]; failing: boolean } {
  let made = 0;
  const state = { events: [] as string[], failing: false };
  const connection = new KeptConnection<number>({
    connect: () => {
      state.events.push(`connect ${++made}`);
      return state.failing ? Promise.reject(new Error("lost")) : Promise.resolve(made);
    },
    disconnect: (which) => Promise.resolve(state.events.push(`disconnect ${which}`)),
    isLost: (error) => (error as Error).message === "lost",
  });
  return Object.assign(state, { connection });
}

test("one connection serves until it fails; what failed on it is done once more, on a new one", async () => {
  const { connection, events } = kept();
  expect(await connection.use((which) => Promise.resolve(which))).toBe(1);
  const read = (which: number): Promise<number> =>
    which === 1 ? Promise.reject(new Error("lost")) : Promise.resolve(which);
  expect(await connection.use(read)).toBe(2);
  await connection.close();
  expect(events).toEqual(["connect 1", "disconnect 1", "connect 2", "disconnect 2"]);
});

test("what fails on a new connection is not done again at once, and the next use connects anew", async () => {
  const state = kept();
  state.failing = true;
  await expect(state.connection.use(() => Promise.resolve())).rejects.toThrow("lost");
  state.failing = false;
  expect(await state.connection.use((which) => Promise.resolve(which))).toBe(2);
  expect(state.events).toEqual(["connect 1", "connect 2"]);
});

test("an error that is not the connection's leaves it", async () => {
  const { connection, events } = kept();
  await connection.use(() => Promise.resolve());
  await expect(connection.use(() => Promise.reject(new Error("no such topic")))).rejects.toThrow("no such topic");
  expect(events).toEqual(["connect 1"]);
});
