import { z } from "zod";

/** One setting of a program: the environment variable that carries it, how it is read, and what it is for. */
export interface Setting<T> {
  readonly env: string;
  readonly schema: z.ZodType<T>;
  /** Value when the variable is absent; a setting without a default must be given. */
  readonly default?: T;
  readonly doc: string;
}

/** A text that is not empty. Without a fallback it must be given. */
export function text(env: string, doc: string, fallback?: string): Setting<string> {
  return { env, doc, schema: z.string().min(1), ...(fallback === undefined ? {} : { default: fallback }) };
}

/** A text that may be absent. */
export function optionalText(env: string, doc: string): Setting<string | undefined> {
  return { env, doc, schema: z.string().min(1).optional(), default: undefined };
}

/** A whole number from `min` to `max`, both inclusive. */
export function whole(
  env: string,
  doc: string,
  fallback: number,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): Setting<number> {
  return { env, doc, schema: z.coerce.number().int().min(min).max(max), default: fallback };
}

/** A number from 0 to 1, both inclusive. */
export function fraction(env: string, doc: string, fallback: number): Setting<number> {
  return { env, doc, schema: z.coerce.number().min(0).max(1), default: fallback };
}

/** Some of several words, with commas between them; each at most once. */
export function choices<const T extends string>(
  env: string,
  doc: string,
  values: readonly [T, ...T[]],
  fallback: readonly T[],
): Setting<readonly T[]> {
  const schema = z
    .string()
    .transform((text) => text.split(",").map((word) => word.trim()))
    .pipe(z.array(z.enum(values, { error: `there is only: ${values.join(", ")}` })))
    .refine((words) => new Set(words).size === words.length, "a name is given twice");
  return { env, doc, schema: schema as unknown as z.ZodType<readonly T[]>, default: fallback };
}

/** Some texts, with commas between them. */
export function texts(env: string, doc: string, fallback: readonly string[]): Setting<readonly string[]> {
  const schema = z.string().transform((text) => text.split(",").map((word) => word.trim()));
  return { env, doc, schema: schema as unknown as z.ZodType<readonly string[]>, default: fallback };
}

/** Some TCP ports, with commas between them; none by default. */
export function ports(env: string, doc: string): Setting<readonly number[]> {
  const schema = z
    .string()
    .transform((text) => text.split(",").map(Number))
    .pipe(z.array(z.int().min(1).max(65_535)));
  return { env, doc, schema: schema as unknown as z.ZodType<readonly number[]>, default: [] };
}

/** One of several words. */
export function choice<const T extends string>(
  env: string,
  doc: string,
  values: readonly [T, ...T[]],
  fallback: T,
): Setting<T> {
  return { env, doc, schema: z.enum(values) as unknown as z.ZodType<T>, default: fallback };
}
