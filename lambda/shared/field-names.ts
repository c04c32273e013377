/** An id as the name of a field of a document, which can't have every character. */
export function fieldName(id: string): string {
  return Buffer.from(id).toString("base64url");
}

/** The id that a field's name stands for. */
export function idOfField(name: string): string {
  return Buffer.from(name, "base64url").toString();
}
