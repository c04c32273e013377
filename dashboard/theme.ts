const dark = matchMedia("(prefers-color-scheme: dark)");
let read: Map<string, string> = new Map();
dark.addEventListener("change", () => (read = new Map()));

/** The value of a custom property of the style sheet, in the colours that the reader prefers. */
export function themeColour(property: string): string {
  let colour = read.get(property);
  if (colour === undefined) {
    colour = getComputedStyle(document.documentElement).getPropertyValue(property).trim();
    read.set(property, colour);
  }
  return colour;
}

/** Calls back when the reader prefers other colours. @returns What ends it. */
export function onThemeChange(change: () => void): () => void {
  dark.addEventListener("change", change);
  return () => dark.removeEventListener("change", change);
}
