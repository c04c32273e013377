import type { z } from "zod";
import { failed, type Answer } from "./answer.ts";

/** Keys of requests whose answers are kept. */
const MAX_KEYS = 1_000;

/** Changes of one kind that operators ask for: each is made once for its key, one after the other. */
export class Changes<T> {
  readonly #schema: z.ZodType<T>;
  readonly #make: (request: T, key: string) => Promise<Answer>;
  /** What was asked under each key, and its answer. */
  readonly #done = new Map<string, { readonly asked: string; readonly answer: Promise<Answer> }>();
  #last: Promise<unknown> = Promise.resolve();

  /** @param make Makes a change. It may not reject. */
  constructor(schema: z.ZodType<T>, make: (request: T, key: string) => Promise<Answer>) {
    this.#schema = schema;
    this.#make = make;
  }

  /** Does what a body asks for. The same request again gets the same answer, another one under its key 422. */
  apply(body: unknown, key: string): Promise<Answer> {
    const request = this.#schema.safeParse(body);
    if (!request.success) {
      const problems = request.error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`);
      return Promise.resolve(failed(400, problems.join("; ")));
    }
    const asked = JSON.stringify(request.data);
    const known = this.#done.get(key);
    if (known) {
      const isSame = known.asked === asked;
      return isSame ? known.answer : Promise.resolve(failed(422, `the key ${key} was used for another request`));
    }
    const answer = this.#last.then(() => this.#make(request.data, key));
    this.#last = answer;
    this.#done.set(key, { asked, answer });
    const oldest = this.#done.keys().next();
    if (this.#done.size > MAX_KEYS && !oldest.done) this.#done.delete(oldest.value);
    // What failed has changed nothing that the same key would not finish.
    void answer.then(({ status }) => status >= 500 && this.#done.delete(key));
    return answer;
  }
}
