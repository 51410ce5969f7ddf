// From photo to photo: the next one of the queue, those of this visit, the end of a photo, and the way back by undo.

import { comparing, judgeAsked } from "../notices.js";

export class Visits {
  /** Keys are ignored until the next photo is shown. */
  isLeaving = false;
  #isBlind;
  #root;
  #part;
  #walk;
  #left;
  #notices;
  #screen;
  #sending;
  #editor;

  /** isBlind: whether what the model found is hidden until the person has drawn. */
  constructor({ isBlind }, root, part, { walk, left, notices, screen, sending, editor }) {
    this.#isBlind = isBlind;
    this.#root = root;
    this.#part = part;
    this.#walk = walk;
    this.#left = left;
    this.#notices = notices;
    this.#screen = screen;
    this.#sending = sending;
    this.#editor = editor;
  }

  /** Shows a photo. isBack: one of this visit, once more. */
  open(review, { isBack = false } = {}) {
    if (this.#isBlind && !isBack) {
      review.hideModel();
    }
    this.#walk.visit(review, { isBack });
    this.#screen.open(review);
  }

  async next() {
    const from = this.#screen.review.uuid;
    const visited = this.#walk.beside(from, 1);
    if (visited !== undefined) {
      await this.reopen(visited);
      return;
    }
    this.isLeaving = true;
    try {
      const following = await this.#walk.after(from);
      if (following === null) {
        this.#atEnd();
      } else {
        this.open(following);
      }
    } catch (error) {
      this.#notices.noAnswer(error);
      this.#screen.draw();
    } finally {
      this.isLeaving = false;
    }
  }

  async previous() {
    const { review } = this.#screen;
    const before = this.#root.hidden ? review.uuid : this.#walk.beside(review.uuid, -1);
    if (before !== undefined) {
      await this.reopen(before);
    }
  }

  /** Shows a photo of this visit again: as it is known here while a step is on its way, else as the server has it now. */
  async reopen(uuid) {
    const known = await this.#walk.fetch(uuid);
    this.open(known, { isBack: true });
    if ((await this.#walk.renew(known)) && known === this.#screen.review) {
      this.#screen.draw();
    }
  }

  /** Ends the photo, where all of it was on the screen, and goes on. */
  done() {
    const { review } = this.#screen;
    if (review.asked.length > 0) {
      this.#screen.current = review.asked[0];
      this.#notices.hint(judgeAsked());
      this.#screen.draw();
      return;
    }
    if (!review.isReviewed) {
      if (!this.#screen.isWhole()) {
        return;
      }
      this.#sending.say([], true);
      if (review.isBlind) {
        this.#notices.hint(comparing());
        this.#screen.draw();
        return;
      }
    }
    this.next();
  }

  /** Opens a finished photo again. */
  openAgain() {
    if (this.#screen.review.isReviewed) {
      this.#sending.say([], false);
      this.#screen.draw();
    }
  }

  /** Takes back a box that is being edited, or the newest step, at its photo. */
  async undo() {
    if (this.isLeaving) {
      return;
    }
    if (this.#editor.isActive) {
      this.#editor.stop();
      return;
    }
    const uuid = this.#sending.newest() ?? this.#screen.review.uuid;
    if (uuid !== this.#screen.review.uuid || this.#root.hidden) {
      this.open(await this.#walk.fetch(uuid), { isBack: true });
    }
    this.#sending.undo();
    this.#screen.goTo(this.#screen.firstOpen() ?? this.#screen.current);
  }

  #atEnd() {
    this.#root.hidden = true;
    this.#part("end").hidden = false;
    this.#left.draw();
  }
}
