/** Arrow keys, Home and End move the focus between the elements of a list. */
export function moveFocus(event: KeyboardEvent, selector: "a" | "button"): void {
  const list = event.currentTarget as HTMLElement;
  const elements = [...list.querySelectorAll<HTMLElement>(selector)];
  const at = elements.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: elements.length - 1 }[event.key];
  if (to === undefined || !elements[to]) return;
  event.preventDefault();
  elements[to].focus();
}
