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
  /** Returns the number of steps in flight. */
  pending = 0;

  constructor(answer) {
    this.take(answer);
  }

  /** Applies the server's state. */
  take(answer) {
    this.uuid = answer.detection;
    this.answer = answer;
    this.version = answer.version;
    this.isReviewed = answer.is_reviewed;
    this.objects = answer.objects;
  }

  get open() {
    return this.objects.filter((object) => object.verdict === "");
  }

  find(key) {
    return this.objects.find((object) => object.object === key);
  }

  /** Returns the body of a step, and applies it here. */
  say(statements, reviewed = null) {
    const body = { version: this.version, verdicts: statements, reviewed };
    this.version += 1;
    this.pending += 1;
    for (const statement of statements) {
      this.#apply(statement);
    }
    if (reviewed === true) {
      this.objects = this.objects.map((object) => (object.verdict === "" ? { ...object, verdict: "confirmed" } : object));
    }
    this.isReviewed = reviewed ?? this.isReviewed;
    return body;
  }

  undo() {
    const body = { version: this.version };
    this.version += 1;
    this.pending += 1;
    return body;
  }

  #apply(statement) {
    if (statement.verdict === "added") {
      const numbers = this.objects.filter((object) => object.model === null).map((object) => Number(object.object.slice(1)));
      const object = `a${Math.max(0, ...numbers) + 1}`;
      this.objects = [...this.objects, { object, verdict: "added", objectClass: statement.objectClass, box: statement.box, by: "", at: null, model: null }];
      return;
    }
    const about = this.find(statement.object);
    this.objects = takesOut(about, statement)
      ? this.objects.filter((object) => object !== about)
      : this.objects.map((object) => (object === about ? judged(object, statement) : object));
  }
}
