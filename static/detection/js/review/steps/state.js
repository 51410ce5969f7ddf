// State of a review in the page: the server's last one, with the steps in flight applied.

const sameBox = (one, other) => ["x", "y", "width", "height"].every((name) => one[name] === other[name]);

/** Predicts the verdict that the server makes of a statement (`detection/review/service.py: _row`). */
function judged(object, { verdict, objectClass, box }) {
  if (object.model === null) {
    return { ...object, objectClass: objectClass ?? object.objectClass, box: box ?? object.box };
  }
  const { model } = object;
  if (verdict === "confirmed" || verdict === "rejected") {
    return { ...object, verdict, objectClass: model.objectClass, box: model.box };
  }
  const now = { objectClass: objectClass ?? object.objectClass, box: box ?? object.box };
  if (now.objectClass !== model.objectClass) {
    return { ...object, ...now, verdict: "relabelled" };
  }
  return { ...object, ...now, verdict: sameBox(now.box, model.box) ? "confirmed" : "corrected" };
}

const takesOut = (object, { verdict }) => object.model === null && verdict === "rejected";

export class Review {
  /** Number of steps in flight. */
  pending = 0;
  // What was there before each own step, for undo.
  #before = [];
  /** Whether what the model found is hidden: the person draws what is there first. */
  isBlind = false;
  // The number of the newest drawn object, also of one that was taken out: no number is given twice.
  #lastAdded = 0;

  /** place: of the photo in the queue; why it is there, and the keys of the objects that want a verdict of their own. */
  constructor(answer, place = { reason: "", asked: [] }) {
    this.place = place;
    this.take(answer);
  }

  /** Applies the server's state. */
  take(answer) {
    this.uuid = answer.detection;
    this.answer = answer;
    this.version = answer.version;
    this.isReviewed = answer.is_reviewed;
    // Until the server has compared the drawn objects with the model's.
    this.isBlind &&= answer.can_be_blind;
    this.objects = answer.objects;
    this.weaker = answer.weaker;
    this.#lastAdded = Math.max(this.#lastAdded, answer.last_added);
    // Asked for: also a weaker one, which nobody has accepted, is to be judged.
    this.place.asked.forEach((key) => this.#bringIn(key));
  }

  /** Hides what the model found, unless somebody has judged it with its boxes shown. */
  hideModel() {
    this.isBlind = this.answer.can_be_blind;
  }

  /** Objects of the review that may be shown. */
  get shown() {
    return this.isBlind ? this.objects.filter((object) => object.model === null) : this.objects;
  }

  /** Weaker objects that may be shown. */
  get shownWeaker() {
    return this.isBlind ? [] : this.weaker;
  }

  /** Keys of the objects that the queue asks for and that are open. */
  get asked() {
    return this.open.map((object) => object.object).filter((key) => this.place.asked.includes(key));
  }

  /** Whether the queue has what it asks for. */
  get isDone() {
    return this.place.asked.length > 0 && !this.isBlind ? this.asked.length === 0 : this.isReviewed;
  }

  get open() {
    return this.shown.filter((object) => object.verdict === "");
  }

  find(key) {
    return this.objects.find((object) => object.object === key);
  }

  /** Returns the body of a step, and applies it here. */
  say(statements, reviewed = null) {
    const body = this.#step({ verdicts: statements, reviewed, ...(this.isBlind ? { blind: true } : {}) });
    for (const statement of statements) {
      this.#apply(statement);
    }
    if (reviewed === true && !this.isBlind) {
      this.objects = this.objects.map((object) => (object.verdict === "" ? { ...object, verdict: "confirmed" } : object));
    }
    this.isReviewed = reviewed ?? this.isReviewed;
    return body;
  }

  /** Returns the body of the step that takes the newest one back, and takes it back here as far as it was made here. */
  undo() {
    const before = this.#before.pop();
    const body = this.#step({});
    this.#before.pop();
    Object.assign(this, before);
    return body;
  }

  #step(said) {
    this.#before.push({ objects: this.objects, weaker: this.weaker, isReviewed: this.isReviewed });
    const body = { version: this.version, ...said };
    this.version += 1;
    this.pending += 1;
    return body;
  }

  #apply(statement) {
    if (statement.verdict === "added") {
      const object = `a${(this.#lastAdded += 1)}`;
      this.objects = [...this.objects, { object, verdict: "added", objectClass: statement.objectClass, box: statement.box, by: "", at: null, model: null }];
      return;
    }
    this.#bringIn(statement.object);
    const about = this.find(statement.object);
    this.objects = takesOut(about, statement)
      ? this.objects.filter((object) => object !== about)
      : this.objects.map((object) => (object === about ? judged(object, statement) : object));
  }

  /** A weaker object that something is said of becomes an object of the review, behind the model's stronger ones. */
  #bringIn(key) {
    const found = this.weaker.find((object) => object.object === key);
    if (found !== undefined) {
      this.weaker = this.weaker.filter((object) => object !== found);
      const isDrawn = (object) => object.model === null;
      this.objects = [...this.objects.filter((object) => !isDrawn(object)), found, ...this.objects.filter(isDrawn)];
    }
  }
}
