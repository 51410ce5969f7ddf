// Verdicts by key, click and drag: on the current object, on weaker ones, and on what the model missed.

export class Verdicts {
  #screen;
  #sending;
  #visits;
  #stage;
  #editor;
  #classes;
  #palette;
  #goesOn;

  /** goesOn(): whether the verdict on the last open object ends the photo. */
  constructor({ screen, sending, visits, stage, editor, classes, palette, goesOn }) {
    this.#screen = screen;
    this.#sending = sending;
    this.#visits = visits;
    this.#stage = stage;
    this.#editor = editor;
    this.#classes = classes;
    this.#palette = palette;
    this.#goesOn = goesOn;
  }

  /** Clicked: a weaker object is accepted, another one becomes the current one. */
  pick(key) {
    this.#editor.stop();
    this.#screen.current = key;
    if (this.#screen.isGhost(key) && this.#screen.isShown()) {
      this.#accept(key);
    }
    this.#screen.draw();
  }

  judge(verdict) {
    const { current } = this.#screen;
    if (current === null || this.#editor.isActive || !this.#screen.isShown()) {
      return false;
    }
    const said = this.#screen.find(current).verdict;
    if (this.#screen.isGhost(current)) {
      this.#judgeGhost(verdict);
    } else if (verdict === "confirmed" && said !== "" && said !== "rejected") {
      // What a person has said of it stands; a model's box that was changed is not changed back by a key too many.
      this.#screen.goTo(this.#screen.firstOpen() ?? current);
    } else {
      this.#goOn([{ object: current, verdict }]);
    }
    return true;
  }

  rejectAt(key) {
    this.#editor.stop();
    this.#screen.current = key;
    this.judge("rejected");
  }

  /** Gives the current object a class: one of those used last, by key or click. */
  useClass(name) {
    const { current } = this.#screen;
    const about = current === null ? undefined : this.#screen.find(current);
    this.#classes.use(name);
    if (about !== undefined && !this.#editor.isActive && this.#screen.isShown() && (about.objectClass !== name || about.verdict === "")) {
      this.#goOn([{ object: current, verdict: "relabelled", objectClass: name }]);
    }
  }

  async relabel() {
    if (!this.#hasCurrent()) {
      return;
    }
    const { current: about, review: shown } = this.#screen;
    const objectClass = await this.#palette.ask(this.#screen.find(about).objectClass, this.#classes.all);
    if (objectClass !== null && this.#screen.review === shown) {
      this.#screen.current = about;
      this.useClass(objectClass);
    }
  }

  edit() {
    if (this.#hasCurrent()) {
      this.#editor.begin(this.#screen.find(this.#screen.current).box, { isNew: false });
    }
  }

  /** Begins to draw what the model missed by keyboard. */
  draw() {
    if (!this.#editor.isActive && this.#screen.isShown()) {
      this.#editor.begin(this.#stage.middle(), { isNew: true });
    }
  }

  /** Takes the box that is edited by keyboard. */
  save() {
    const box = this.#stage.edited;
    if (this.#editor.isNew) {
      this.drawn(box);
    } else {
      this.#editor.stop();
      this.#goOn([{ object: this.#screen.current, verdict: "corrected", box }]);
    }
  }

  /** The current box was sized. */
  sized(box) {
    if (this.#screen.isShown()) {
      this.#sending.say([{ object: this.#screen.current, verdict: "corrected", box }]);
      this.#screen.draw();
    }
  }

  /** A missed object was drawn: it has the class used last, and keys give it another one. */
  async drawn(box) {
    const { review: shown } = this.#screen;
    if (!this.#screen.isShown()) {
      return;
    }
    if (this.#classes.newest === null) {
      this.#stage.edit(box);
    }
    const objectClass = this.#classes.newest ?? (await this.#palette.ask(null, this.#classes.all));
    if (objectClass !== null && this.#screen.review === shown) {
      this.#editor.stop();
      this.#classes.use(objectClass);
      this.#sending.say([{ verdict: "added", objectClass, box }]);
      this.#screen.goTo(shown.objects.at(-1).object);
    } else if (!this.#editor.isNew) {
      this.#editor.stop();
    }
  }

  #hasCurrent() {
    return this.#screen.current !== null && !this.#editor.isActive && this.#screen.isShown();
  }

  #accept(key) {
    this.#classes.use(this.#screen.find(key).objectClass);
    this.#sending.say([{ object: key, verdict: "confirmed" }]);
  }

  /** A weaker object is accepted or left out, and the next one is the current one. */
  #judgeGhost(verdict) {
    const { current } = this.#screen;
    const following = this.#screen.behindGhost();
    if (verdict === "confirmed") {
      this.#accept(current);
    } else {
      this.#screen.leaveOut(current);
    }
    this.#screen.goTo(following ?? current);
  }

  /** After a verdict: the next object that is open, or the end of this photo. */
  #goOn(statements) {
    const { review, current } = this.#screen;
    const wasOpen = this.#screen.find(current)?.verdict === "" && !this.#screen.isGhost(current);
    const said = new Set(statements.map((statement) => statement.object));
    const isLast = wasOpen && !(review.isReviewed && review.isDone) && review.open.every((object) => said.has(object.object));
    if (isLast && this.#goesOn() && this.#screen.isWhole()) {
      this.#sending.say(statements, review.isReviewed ? null : true);
      this.#visits.next();
      return;
    }
    this.#sending.say(statements);
    this.#screen.goTo(wasOpen ? this.#screen.nextOpen() : current);
  }
}
