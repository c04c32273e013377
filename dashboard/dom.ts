/** The element of the page with an id. */
export function byId(id: string): HTMLElement {
  return document.getElementById(id) as HTMLElement;
}
