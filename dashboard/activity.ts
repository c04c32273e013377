/** Activities that the models that come with Millrace know, in the order of their colours. */
const KNOWN = ["WALKING", "SEATED", "STANDING_UP", "SITTING_DOWN", "TURNING"];
/** Colours of a label that is not known: the text decides, so that they are the same on every page. */
const OTHERS = 5;

/** Custom property of the style sheet with a label's colour: always the same for the same label. */
export function colourOf(label: string): string {
  const known = KNOWN.indexOf(label);
  if (known >= 0) return `--activity-${known}`;
  let hash = 0;
  for (const character of label) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 997;
  return `--activity-${KNOWN.length + (hash % OTHERS)}`;
}

/** `STANDING_UP` as people write it. */
export function nameOf(label: string): string {
  return label.toLowerCase().replaceAll("_", " ");
}

/** A probability or a share, from 0 to 1. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
