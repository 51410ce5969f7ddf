// What is shown of a photo: its objects in their order, the weaker ones, and the current one, which verdicts are about.

import { ghostsOf } from "./ghosts.js";
import { drawState, drawTitle } from "./header.js";
import { drawnAs } from "./list.js";
import { moreBelow, morePhoto } from "./notices.js";
import { inOrder } from "./queue/order.js";

export class Screen {
  review = null;
  /** Key of the current object, or null. */
  current = null;
  /** Objects in the order in which they are gone through. */
  objects = [];
  /** The weaker ones that are shown. */
  ghosts = [];
  #leftOut = new Set();
  #start;
  #server;
  #root;
  #part;
  #shows;

  /**
   * start: what the server gave the page. root: of the page; part(name): its element of a name. shows: {stage, editor, list,
   * seen, floor, left, notices}, its parts.
   */
  constructor(start, server, root, part, shows) {
    this.#start = start;
    this.#server = server;
    this.#root = root;
    this.#part = part;
    this.#shows = shows;
  }

  /** Shows another photo, at the first object that is open. */
  open(review) {
    const { stage, editor, list, seen, notices } = this.#shows;
    this.review = review;
    seen.open();
    list.open();
    this.#leftOut = new Set();
    this.#root.hidden = false;
    this.#part("end").hidden = true;
    this.#root.dataset.shown = "";
    this.current = this.firstOpen() ?? this.#sorted(review.shown)[0]?.object ?? null;
    const { width, height, photo_name: name } = review.answer;
    stage.open(this.#server.url("photo", review.uuid), { width, height }, name || this.#start.texts.noName);
    editor.stop();
    this.drawTitle();
    window.history.replaceState(null, "", this.#server.url("page", review.uuid) + (this.#start.query ? `?${this.#start.query}` : ""));
    notices.hint("");
    this.draw();
  }

  /** The photo is on the screen. */
  photoShown() {
    this.#shows.seen.photoIsShown();
    this.#root.dataset.shown = this.review.uuid;
  }

  drawTitle() {
    drawTitle(this.#part, this.review, this.#server.url("detection", this.review.uuid), this.#start.texts);
  }

  draw() {
    const { stage, list, floor, left } = this.#shows;
    const { review } = this;
    this.objects = this.#sorted(review.shown);
    this.ghosts = ghostsOf(review, floor.value, this.#leftOut);
    if (this.current !== null && this.find(this.current) === undefined) {
      this.current = this.firstOpen() ?? this.objects[0]?.object ?? null;
    }
    const { current, objects, ghosts } = this;
    const drawn = [...objects, ...ghosts].map((object) => drawnAs(object, { isCurrent: object.object === current, ghost: this.isGhost(object.object) }));
    // The current one gets its chip first, and lies on top.
    stage.show([...drawn.filter(({ key }) => key === current), ...drawn.filter(({ key }) => key !== current)], current);
    list.show(objects, ghosts, current, review.place.asked);
    list.reveal(current);
    this.#part("no-objects").hidden = objects.length + ghosts.length > 0;
    drawState(this.#root, this.#part, review, this.#start.texts, current !== null);
    left.draw();
  }

  isGhost(key) {
    return this.ghosts.some((object) => object.object === key);
  }

  find(key) {
    return this.review.find(key) ?? this.ghosts.find((object) => object.object === key);
  }

  firstOpen() {
    return this.#sorted(this.review.open)[0]?.object;
  }

  /** The open object behind the current one in the order, from the last one on to the first; else the current one. */
  nextOpen() {
    const keys = this.objects.map((object) => object.object);
    const behind = [...keys.slice(keys.indexOf(this.current) + 1), ...keys];
    return behind.find((key) => this.review.find(key)?.verdict === "") ?? this.current;
  }

  /** What comes behind the current weaker object, which is accepted or left out. */
  behindGhost() {
    const place = this.ghosts.findIndex((object) => object.object === this.current);
    return this.ghosts[place + 1]?.object ?? this.firstOpen() ?? this.ghosts[place - 1]?.object;
  }

  /** Shows a weaker object no more. */
  leaveOut(key) {
    this.#leftOut.add(key);
  }

  /** Makes another object the current one; null: none. */
  goTo(key) {
    this.current = key;
    this.draw();
  }

  /** Goes to another object, by places. */
  step(by) {
    const keys = [...this.objects, ...this.ghosts].map((object) => object.object);
    if (keys.length > 0) {
      this.#shows.editor.stop();
      this.goTo(keys[(keys.indexOf(this.current) + by + keys.length) % keys.length]);
    }
  }

  /** Whether the photo was on the screen; nothing is said of one that was not. */
  isShown() {
    const { seen, notices } = this.#shows;
    if (!seen.isPhoto) {
      notices.hint(morePhoto());
    }
    return seen.isPhoto;
  }

  /** Whether photo and list were on the screen; shows what is missing. */
  isWhole() {
    const { seen, notices, list } = this.#shows;
    const unseen = seen.unseen(this.objects);
    if (seen.isPhoto && unseen.length > 0) {
      notices.hint(moreBelow(unseen.length));
      list.reveal(unseen[0].object, "start");
    }
    return this.isShown() && unseen.length === 0;
  }

  #sorted(some) {
    return inOrder(some, this.#start.queue, this.review.place.asked);
  }
}
