/**
 * Jest's functions for suites that stay loaded: a test can run again and again, alone, in any order. The worker of
 * mutation testing gives this module to suites that import `@jest/globals`.
 */
import { expect as jestExpect } from "expect";
import { bind } from "jest-each";

export const expect = jestExpect;

type Work = () => unknown;

/** A describe block: its name, and the hooks around its tests. */
interface Block {
  readonly name: string;
  readonly outer: Block | null;
  readonly before: Work[];
  readonly after: Work[];
}

export interface Test {
  /** File, describe blocks and title; unique. */
  readonly id: string;
  /** The suite's own limit. */
  readonly timeoutMs: number;
  /** Runs the hooks of its blocks and the test. Rejects when one of them fails. */
  run(): Promise<void>;
}

const tests: Test[] = [];
let timeoutMs = 5_000;
let block: Block = newBlock("", null);

function newBlock(name: string, outer: Block | null): Block {
  return { name, outer, before: [], after: [] };
}

/** Blocks from the outermost to the innermost. */
function chain(inner: Block): readonly Block[] {
  return inner.outer === null ? [inner] : [...chain(inner.outer), inner];
}

/** Loads a suite and returns its tests. `load` imports the file. */
export async function collect(file: string, load: () => Promise<unknown>): Promise<readonly Test[]> {
  tests.length = 0;
  timeoutMs = 5_000;
  block = newBlock(file, null);
  await load();
  return tests.map((test, n) => ({ ...test, id: `${n} ${test.id}` }));
}

function declareTest(title: string, work: Work, limitMs?: number): void {
  const blocks = chain(block);
  tests.push({
    id: [...blocks.map(({ name }) => name), title].join(" > "),
    timeoutMs: limitMs ?? timeoutMs,
    run: async () => {
      // A test may run without its neighbours: what runs once for all of them in Jest runs for each one here.
      for (const { before } of blocks) for (const hook of before) await hook();
      try {
        await work();
      } finally {
        for (const { after } of blocks.toReversed()) for (const hook of after) await hook();
      }
    },
  });
}

function declareBlock(name: string, work: Work): void {
  const outer = block;
  block = newBlock(name, outer);
  work();
  block = outer;
}

const skip = Object.assign(() => undefined, { each: () => () => undefined });
export const test = Object.assign(declareTest, { each: bind(declareTest as never, false), skip });
export const it = test;
export const describe = Object.assign(declareBlock, { each: bind(declareBlock as never, false), skip });

export const beforeAll = (hook: Work): void => void block.before.push(hook);
export const beforeEach = beforeAll;
export const afterAll = (hook: Work): void => void block.after.push(hook);
export const afterEach = afterAll;

export const jest = {
  setTimeout: (limitMs: number): void => {
    timeoutMs = limitMs;
  },
};
