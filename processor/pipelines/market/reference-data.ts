import {
  MAX_PART_BYTES,
  MAX_PARTS,
  readReference,
  type Reference,
  REFERENCE_VERSION,
  referenceHeaders,
} from "../../../domain/reference.ts";
import { KeptState } from "../../runtime/kept.ts";
import type { Rejection } from "../../runtime/message.ts";

/** A part of a version: of the one in force, or of one that is still incomplete. */
interface Part {
  readonly version: string;
  readonly parts: number;
  readonly text: string;
}

/** Names of the parts of the version in force, and of the incomplete one, begin with these. */
const IN_FORCE = "in-force/";
const NEXT = "next/";
const FIRST_IN_FORCE = `${IN_FORCE}0`;

/**
 * The reference data of a partition. A version comes as parts in their order, each a control record, and holds from the
 * last part on. A first part begins anew: what was incomplete is dropped.
 */
export class ReferenceData {
  readonly state = new KeptState<Part>({
    name: "reference",
    layout: 1,
    scope: "partition",
    encode: ({ version, parts, text }, writer) => {
      writer.text(version);
      writer.u32(parts);
      writer.text(text);
    },
    decode: (reader) => ({ version: reader.text(), parts: reader.u32(), text: reader.text() }),
  });
  #read: Reference | null = null;
  #readFrom: Part | undefined;

  /** The version in force; null before the first. */
  get inForce(): Reference | null {
    const first = this.state.get(FIRST_IN_FORCE);
    if (first !== this.#readFrom) {
      this.#readFrom = first;
      const read = first ? readReference(this.#text(IN_FORCE, first.parts)) : { problems: [] };
      this.#read = "data" in read ? read.data : null;
    }
    return this.#read;
  }

  /** Takes a `reference` control record. Gives null when it was taken, otherwise why not. */
  readonly control = (headers: Readonly<Record<string, string>>): Rejection | null => {
    const { [referenceHeaders.version]: version = "", [referenceHeaders.text]: text } = headers;
    const part = wholeNumber(headers[referenceHeaders.part]);
    const parts = wholeNumber(headers[referenceHeaders.parts]);
    const problems = [
      ...(REFERENCE_VERSION.test(version) ? [] : [`the version is ${JSON.stringify(version.slice(0, 100))}`]),
      ...(parts >= 1 && parts <= MAX_PARTS ? [] : [`parts is ${headers[referenceHeaders.parts]}; 1 to ${MAX_PARTS}`]),
      ...(part >= 0 && part < parts ? [] : [`part is ${headers[referenceHeaders.part]} of ${parts}, counted from 0`]),
      ...(text === undefined ? ["there is no text"] : []),
      ...(text !== undefined && Buffer.byteLength(text) > MAX_PART_BYTES
        ? [`the part has ${Buffer.byteLength(text)} bytes; at most ${MAX_PART_BYTES} are allowed`]
        : []),
    ];
    if (problems.length > 0) return refused(version, problems);
    if (part === 0) this.#drop(NEXT, 0);
    const expected = this.#count(NEXT);
    const before = this.state.get(`${NEXT}0`);
    if (part !== expected || (before && (before.version !== version || before.parts !== parts))) {
      const next = before ? `part ${expected} of ${before.parts} of version ${before.version}` : "part 0 of a version";
      return refused(version, [`part ${part} of ${parts} was received, and ${next} is expected`]);
    }
    this.state.set(NEXT + part, { version, parts, text: text! });
    return part + 1 < parts ? null : this.#complete(version, parts);
  };

  #complete(version: string, parts: number): Rejection | null {
    const read = readReference(this.#text(NEXT, parts));
    const problems =
      "problems" in read
        ? read.problems
        : read.data.version === version
          ? []
          : [`the data's version is ${read.data.version}, the record's ${version}`];
    if (problems.length === 0) {
      for (let part = 0; part < parts; part++) this.state.set(IN_FORCE + part, this.state.get(NEXT + part)!);
      this.#drop(IN_FORCE, parts);
    }
    this.#drop(NEXT, 0);
    return problems.length === 0 ? null : refused(version, problems);
  }

  #text(which: string, parts: number): string {
    return Array.from({ length: parts }, (_, part) => this.state.get(which + part)?.text ?? "").join("");
  }

  #count(which: string): number {
    let parts = 0;
    while (this.state.get(which + parts)) parts++;
    return parts;
  }

  #drop(which: string, from: number): void {
    for (let part = from; this.state.get(which + part); part++) this.state.delete(which + part);
  }
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : NaN;
}

function refused(version: string, problems: readonly string[]): Rejection {
  const name = JSON.stringify(version.slice(0, 100));
  return { code: "invalid-message", message: `the reference data ${name} is not taken: ${problems.join("; ")}` };
}
