// Which photos are selected: some by their ids, or all that match the address but for some.

const KEPT = "gallery-selection";

export class Selection extends EventTarget {
  #ids = new Set();
  #isAll = false;
  #anchor = null;

  get isAll() {
    return this.#isAll;
  }

  get isEmpty() {
    return !this.#isAll && this.#ids.size === 0;
  }

  /** The photo that a range begins at. */
  get anchor() {
    return this.#anchor;
  }

  has(id) {
    return this.#ids.has(id) !== this.#isAll;
  }

  /** How many there are; total: how many match the address. */
  count(total) {
    return this.#isAll ? Math.max(0, total - this.#ids.size) : this.#ids.size;
  }

  set(ids, isSelected, anchor = null) {
    for (const id of ids) {
      if (isSelected === this.#isAll) {
        this.#ids.delete(id);
      } else {
        this.#ids.add(id);
      }
    }
    this.#anchor = anchor ?? this.#anchor;
    this.#changed();
  }

  toggle(id) {
    this.set([id], !this.has(id), id);
  }

  selectAll() {
    this.#ids.clear();
    this.#isAll = true;
    this.#changed();
  }

  clear() {
    this.#ids.clear();
    this.#isAll = false;
    this.#anchor = null;
    this.#changed();
  }

  /** Returns it as the server takes it. query: the filters of the address. */
  body(query) {
    return this.#isAll ? { query, except: [...this.#ids] } : { ids: [...this.#ids] };
  }

  /** Keeps it for a reload, where the browser lets it. query: the filters of the address that it belongs to. */
  keep(query) {
    try {
      if (this.isEmpty) {
        window.sessionStorage.removeItem(KEPT);
      } else {
        window.sessionStorage.setItem(KEPT, JSON.stringify({ query, isAll: this.#isAll, ids: [...this.#ids] }));
      }
    } catch {
      // Blocked or full: a reload begins with nothing selected.
    }
  }

  /** Takes back what was kept for the same filters; others have a selection of their own. */
  restore(query) {
    const kept = read();
    if (kept?.query === query) {
      this.#ids = new Set(kept.ids);
      this.#isAll = kept.isAll;
      this.#changed();
    }
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** Returns what was kept; null where there is nothing, or where the browser blocks its storage. */
function read() {
  try {
    return JSON.parse(window.sessionStorage.getItem(KEPT));
  } catch {
    return null;
  }
}
