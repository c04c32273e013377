/**
 * A list of buttons that is renewed while it is in use: a button stays the same element, so it keeps the focus, and the
 * order stays while the keyboard's focus or the pointer is in the list. Arrow keys, Home and End move between the
 * buttons.
 */
export class Choices {
  #list;
  #onChoose;

  #entries: Map<string, { item: HTMLLIElement; button: HTMLButtonElement; note: HTMLSpanElement }> = new Map();

  constructor(list: HTMLElement, onChoose: (name: string) => void) {
    this.#list = list;
    this.#onChoose = onChoose;
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** @param choices In order. */
  show(choices: { name: string; note: string; title?: string; chosen: boolean }[]) {
    const wanted = new Map(choices.map((choice) => [choice.name, choice]));
    const focused = document.activeElement;
    for (const [name, { item }] of this.#entries) {
      if (wanted.has(name)) continue;
      item.remove();
      this.#entries.delete(name);
    }
    for (const { name, note, title, chosen } of choices) {
      const entry = this.#entries.get(name) ?? this.#add(name);
      if (entry.note.textContent !== note) entry.note.textContent = note;
      entry.button.title = title ?? "";
      entry.button.setAttribute("aria-pressed", String(chosen));
    }
    if (this.#list.matches(":hover, :has(:focus-visible)")) return;
    const items = choices.map(({ name }) => this.#entries.get(name)?.item as HTMLLIElement);
    if (items.every((item, i) => item === this.#list.children[i])) return;
    const { scrollTop } = this.#list;
    this.#list.append(...items);
    this.#list.scrollTop = scrollTop;
    if (focused instanceof HTMLElement && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  #add(name: string) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.name = name;
    const note = document.createElement("span");
    button.append(name, note);
    button.addEventListener("click", () => this.#onChoose(name));
    const item = document.createElement("li");
    item.append(button);
    this.#list.append(item);
    const entry = { item, button, note };
    this.#entries.set(name, entry);
    return entry;
  }

  #move(event: KeyboardEvent) {
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
  }
}
