// What is said of photos: applied here immediately, sent in the background. A refused step is reported, and its photo
// shown in the server's state.

import { compared } from "../notices.js";
import { Outbox } from "./outbox.js";
import { sayableOf, statementsOf } from "./refused.js";

export class Sending {
  // The photos of this visit's own steps: undo goes back to them.
  #steps = [];
  #outbox;
  #server;
  #root;
  #texts;
  #walk;
  #left;
  #notices;
  #screen;
  #onLook;

  /** user: whose steps they are; onLook(uuid): shows a photo of this visit again. */
  constructor({ user, texts }, server, root, { walk, left, notices, screen, onLook }) {
    this.#server = server;
    this.#root = root;
    this.#texts = texts;
    this.#walk = walk;
    this.#left = left;
    this.#notices = notices;
    this.#screen = screen;
    this.#onLook = onLook;
    this.#outbox = new Outbox(user, (step) => server.send(step), {
      answer: (step, state) => this.#answered(step, state),
      refused: (step, error, dropped) => this.#refused(step, error, dropped),
      waiting: (count, error) => this.#waiting(count, error),
    });
  }

  /** Sends what a page before has left; resolves when the steps of this photo are answered, to whether there were any. */
  async start(uuid) {
    this.#outbox.start();
    const isBehind = this.#outbox.has(uuid);
    if (isBehind) {
      await this.#outbox.idle();
    }
    return isBehind;
  }

  /** Says something of the shown photo. */
  say(statements, reviewed = null) {
    const { review } = this.#screen;
    const wasDone = review.isDone;
    const body = review.say(statements, reviewed);
    this.#steps.push(review.uuid);
    this.#left.count(review, wasDone);
    this.#notices.tell("");
    this.#notices.hint("");
    this.#outbox.add({ uuid: review.uuid, name: "review", body });
    this.showPending();
  }

  /** Returns the photo of the newest own step, which is about to be taken back, or undefined. */
  newest() {
    return this.#steps.pop();
  }

  /** Takes the newest step of the shown photo back. */
  undo() {
    const { review } = this.#screen;
    const wasDone = review.isDone;
    this.#outbox.add({ uuid: review.uuid, name: "undo", body: review.undo() });
    this.#left.count(review, wasDone);
    this.#notices.tell("");
    this.showPending();
  }

  /** Shows the number of steps on their way. */
  showPending() {
    this.#root.dataset.pending = this.#outbox.count;
  }

  #answered({ uuid }, state) {
    const { review } = this.#screen;
    const said = this.#walk.known(uuid);
    if (said !== undefined) {
      said.pending = Math.max(0, said.pending - 1);
      if (said.pending === 0) {
        const before = said.isDone;
        const wasBlind = said.isBlind;
        said.take(state);
        this.#left.count(said, before);
        if (said === review && wasBlind && !said.isBlind) {
          this.#reveal();
        }
      }
    }
    if (said === review && said.pending === 0) {
      this.#screen.draw();
    }
  }

  /** Shows what the model found, and what became of it. */
  #reveal() {
    this.#screen.drawTitle();
    this.#screen.current = null;
    this.#notices.hint(compared());
  }

  /** Shows the server's state instead, with the reason; what was said can be said again. */
  async #refused({ uuid, body }, error, dropped) {
    const said = this.#walk.known(uuid);
    const statements = statementsOf(body, dropped);
    const sentence = error.review === undefined ? this.#texts.notSaved.replace("{reason}", error.message) : error.message;
    this.#steps = this.#steps.filter((other) => other !== uuid);
    if (said !== undefined) {
      said.pending = 0;
      const before = said.isDone;
      try {
        said.take(error.review ?? (await this.#server.review(uuid)));
        this.#left.count(said, before);
      } catch {
        this.#walk.forget(uuid);
      }
    }
    this.#tell(uuid, sentence, statements);
    this.#left.draw();
    if (said === this.#screen.review) {
      this.#screen.draw();
    }
  }

  /** Reports what was refused; where another photo is shown, the way there comes first. */
  #tell(uuid, sentence, statements) {
    if (uuid !== this.#screen.review.uuid) {
      this.#notices.tell(sentence, { look: async () => {
        await this.#onLook(uuid);
        this.#tell(uuid, sentence, statements);
      } });
    } else {
      this.#notices.tell(sentence, { again: statements.length === 0 ? null : () => this.#sayAgain(statements) });
    }
  }

  /** Says what was refused once more, of what is there now; whether the photo is done is asked anew. */
  #sayAgain(statements) {
    const possible = sayableOf(statements, this.#screen.review);
    if (possible.length > 0) {
      this.say(possible);
    }
    this.#notices.tell("");
    this.#screen.draw();
  }

  #waiting(count, error) {
    this.#notices.waiting(count, error);
    this.showPending();
  }
}
