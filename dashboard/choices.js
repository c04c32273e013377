/**
 * A list of buttons that is renewed while it is in use: a button stays the same element, so it keeps the focus, and the
 * order stays while the keyboard's focus or the pointer is in the list. Arrow keys, Home and End move between the
 * buttons.
 */
export class Choices {
  #list;
  #onChoose;
  /** @type {Map<string, { item: HTMLLIElement; button: HTMLButtonElement; note: HTMLSpanElement }>} */
  #entries = new Map();

  /** @param {HTMLElement} list @param {(name: string) => void} onChoose */
  constructor(list, onChoose) {
    this.#list = list;
    this.#onChoose = onChoose;
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** @param {{ name: string; note: string; title?: string; chosen: boolean }[]} choices In order. */
  show(choices) {
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
    const items = choices.map(({ name }) => /** @type {HTMLLIElement} */ (this.#entries.get(name)?.item));
    if (items.every((item, i) => item === this.#list.children[i])) return;
    const { scrollTop } = this.#list;
    this.#list.append(...items);
    this.#list.scrollTop = scrollTop;
    if (focused instanceof HTMLElement && focused !== document.activeElement) focused.focus({ preventScroll: true });
  }

  /** @param {string} name */
  #add(name) {
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

  /** @param {KeyboardEvent} event */
  #move(event) {
    const buttons = [...this.#list.querySelectorAll("button")];
    const at = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].focus();
  }
}
