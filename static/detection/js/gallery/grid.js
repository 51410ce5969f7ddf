// The endless list: pages are asked for as they come into sight, and only the rows near the screen have elements.

import { justify, place } from "./layout.js";
import { release, tileOf } from "./tile.js";

// Photos that get and lose their elements together: as many as are made well within a frame or two.
const BLOCK = 30;
const NEAR_PX = 1500;
const AHEAD_PX = 3000;
const ROW_PX = 230;
const NARROW_ROW_PX = 150;
const NARROW_PX = 700;
// Where Tab enters the list: its element stays, for Shift+Tab from below finds no other one.
const TAB_STOP = '[tabindex="0"]';

export class Grid {
  /** The photos that are known, in their order. */
  photos = [];
  #root;
  #blocks = [];
  #rest = [];
  #source;
  #urls;
  #seen;
  #width = 0;
  #loading = { older: null, newer: null };
  #onFill;
  /** Where the page was scrolled to when photos were put before the others, in pixels. */
  placedAt = null;

  /**
   * root: the list's element. source: {older, newer}, cursors or null, and `load(cursor)`, which resolves to a page.
   * onFill(tile, photo): called for each new element.
   */
  constructor(root, source, urls, onFill) {
    this.#root = root;
    this.#source = source;
    this.#urls = urls;
    this.#onFill = onFill;
    this.#seen = new IntersectionObserver((entries) => this.#onSeen(entries), { rootMargin: `${NEAR_PX}px 0px` });
    this.#width = root.clientWidth;
    new ResizeObserver(() => this.#onResize()).observe(root);
    window.addEventListener("scroll", () => this.#loadWhereNeeded(), { passive: true });
  }

  /** Shows a page in place of all photos. */
  show(page) {
    this.#clear();
    this.#source.older = page.older;
    this.#source.newer = page.newer;
    this.#append(page.photos);
    this.#loadWhereNeeded();
  }

  get source() {
    return this.#source;
  }

  /** Takes photos out of the list; resolves when those that follow are known. */
  remove(ids) {
    this.photos = this.photos.filter(({ id }) => !ids.has(id));
    this.#layAgain();
    return this.#loadWhereNeeded();
  }

  /** The element of a photo, made if need be; null for an unknown one. */
  tile(photo) {
    if (photo === undefined || photo.block === undefined) {
      return null;
    }
    this.#fill(photo.block);
    return photo.block.element.querySelector(`[data-photo="${photo.id}"]`);
  }

  /** All elements there are. */
  tiles() {
    return this.#root.querySelectorAll("[data-photo]");
  }

  /** The photo next to another: by steps in the order, or by rows. Loads more where the list ends. */
  neighbour(photo, { steps = 0, rows = 0 }) {
    const index = this.photos.indexOf(photo);
    if (rows === 0) {
      return this.photos[Math.min(this.photos.length - 1, Math.max(0, index + steps))];
    }
    const middle = photo.at.left + photo.at.width / 2;
    const isOther = (one) => one.block !== photo.block || one.at.top !== photo.at.top;
    const row = [];
    for (let at = index; at >= 0 && at < this.photos.length; at += rows) {
      const one = this.photos[at];
      const first = row[0];
      if (first !== undefined && (first.block !== one.block || first.at.top !== one.at.top)) {
        break;
      }
      if (isOther(one)) {
        row.push(one);
      }
    }
    const distance = (one) => Math.abs(one.at.left + one.at.width / 2 - middle);
    return row.reduce((best, one) => (distance(one) < distance(best) ? one : best), row[0] ?? photo);
  }

  /** The first photo whose row is for the larger part below `top`, in pixels of the screen; null without one. */
  firstSeen(top) {
    for (const block of this.#blocks) {
      const rect = block.element.getBoundingClientRect();
      const isSeen = ({ at }) => rect.top + at.top + at.height / 2 > top;
      // Of a block whose end alone is on the screen, no row may be.
      const photo = rect.bottom > top ? block.photos.find(isSeen) : undefined;
      if (photo !== undefined) {
        return photo;
      }
    }
    return null;
  }

  /** Asks for the page before the first one, and keeps what is on the screen where it is. */
  async loadNewer() {
    if (this.#source.newer === null || this.#loading.newer !== null) {
      return;
    }
    this.#loading.newer = this.#source.load(this.#source.newer);
    try {
      const page = await this.#loading.newer;
      this.#source.newer = page.newer;
      this.#prepend(page.photos);
    } finally {
      this.#loading.newer = null;
    }
  }

  async #loadWhereNeeded() {
    const { top, bottom } = this.#root.getBoundingClientRect();
    if (top > -AHEAD_PX / 2 && this.#source.newer !== null) {
      this.loadNewer().catch(() => undefined);
    }
    if (bottom > window.innerHeight + AHEAD_PX || this.#source.older === null || this.#loading.older !== null) {
      return;
    }
    const source = this.#source;
    this.#loading.older = source.load(source.older);
    try {
      const page = await this.#loading.older;
      this.#loading.older = null;
      if (source.older !== null && page.of === source.older) {
        source.older = page.older;
        this.#append(page.photos);
      }
      await this.#loadWhereNeeded();
    } catch {
      // The next scrolling asks again.
      this.#loading.older = null;
    }
  }

  #append(photos) {
    this.photos.push(...photos);
    const waiting = [...this.#rest, ...photos];
    const { rows, rest } = justify(waiting, this.#width, this.#rowPx(), this.#source.older === null);
    this.#rest = rest;
    for (const block of this.#blocksOf(rows)) {
      this.#blocks.push(block);
      this.#root.append(block.element);
    }
  }

  #prepend(photos) {
    this.photos.unshift(...photos);
    const { rows } = justify(photos, this.#width, this.#rowPx(), true);
    const before = this.#root.scrollHeight;
    const blocks = this.#blocksOf(rows);
    this.#blocks.unshift(...blocks);
    this.#root.prepend(...blocks.map((block) => block.element));
    window.scrollBy({ top: this.#root.scrollHeight - before, behavior: "instant" });
    this.placedAt = window.scrollY;
  }

  #blocksOf(rows) {
    const blocks = [];
    let some = [];
    for (const row of rows) {
      some.push(row);
      if (some.reduce((count, { photos }) => count + photos.length, 0) >= BLOCK) {
        blocks.push(this.#block(some));
        some = [];
      }
    }
    return some.length > 0 ? [...blocks, this.#block(some)] : blocks;
  }

  #block(rows) {
    const height = place(rows);
    const made = document.createElement("li");
    const block = { element: made, list: document.createElement("ul"), photos: rows.flatMap(({ photos }) => photos) };
    made.className = "tiles-block";
    made.style.height = `${height}px`;
    block.list.className = "tiles-list";
    made.append(block.list);
    made.block = block;
    for (const photo of block.photos) {
      photo.block = block;
    }
    this.#seen.observe(made);
    return block;
  }

  #onSeen(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) {
        this.#fill(target.block);
      } else if (!target.contains(document.activeElement) && target.querySelector(TAB_STOP) === null) {
        this.#empty(target.block);
      }
    }
  }

  #fill(block) {
    if (block.list.firstChild !== null) {
      return;
    }
    const tiles = block.photos.map((photo) => {
      const tile = tileOf(photo, this.#urls);
      this.#onFill(tile, photo);
      return tile;
    });
    block.list.append(...tiles);
  }

  #empty(block) {
    block.list.childNodes.forEach(release);
    block.list.replaceChildren();
  }

  #rowPx() {
    return this.#width < NARROW_PX ? NARROW_ROW_PX : ROW_PX;
  }

  #clear() {
    this.photos = [];
    this.#removeBlocks();
  }

  #removeBlocks() {
    this.#rest = [];
    for (const block of this.#blocks) {
      this.#seen.unobserve(block.element);
      this.#empty(block);
    }
    this.#blocks = [];
    this.#root.replaceChildren();
  }

  #onResize() {
    if (this.#root.clientWidth !== this.#width && this.#root.clientWidth > 0) {
      this.#width = this.#root.clientWidth;
      this.#layAgain();
    }
  }

  #layAgain() {
    const first = this.firstSeen(0);
    const { scrollY } = window;
    const photos = this.photos;
    this.#clear();
    this.#append(photos);
    if (scrollY > 0 && first?.block !== undefined && photos.includes(first)) {
      this.tile(first)?.scrollIntoView({ block: "start", behavior: "instant" });
    }
  }
}
