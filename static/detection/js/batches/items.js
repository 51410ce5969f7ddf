// What the page knows of the photos of a batch, and the totals of it. No DOM, no network.

const CORRECTIONS = new Set(["done", "failed"]);

/**
 * All items of a batch by position. `changed` collects the positions that differ since it was last emptied, and
 * `onChange` is called each time. An item is `isOurs` while this page has its file and still has to send it.
 */
export class Items {
  constructor(listed) {
    this.list = listed.map((item) => ({ ...item, file: null, isOurs: false }));
    this.changed = new Set();
    this.onChange = () => undefined;
    this.wantsFailed = false;
    this.totals = { photos: this.list.length, waiting: 0, detecting: 0, done: 0, failed: 0 };
    this.objects = new Map();
    for (const item of this.list) {
      this.#count(item, 1);
    }
  }

  get isFinished() {
    return this.totals.waiting + this.totals.detecting === 0;
  }

  /** Photos that this page should send and cannot: it does not have their files. */
  get missing() {
    const wanted = (item) => item.state === "waiting" || (this.wantsFailed && item.state === "failed");
    return this.list.filter((item) => item.file === null && wanted(item));
  }

  /** Takes over what the server says of one item. What is done stays done, whatever late changes say. */
  apply(change) {
    const item = this.list[change.position];
    if (item === undefined || (item.state === "done" && !CORRECTIONS.has(change.state))) {
      return;
    }
    this.#count(item, -1);
    const { state, error, detection, summary, objects } = change;
    Object.assign(item, { state, error, detection, summary, objects });
    this.#count(item, 1);
    this.#mark(item);
  }

  /** Takes over the whole list of the server. */
  applyAll(listed) {
    for (const change of listed) {
      const item = this.list[change.position];
      if (item !== undefined && (item.state !== change.state || item.detection !== change.detection) && !knowsBetter(item, change)) {
        this.apply(change);
      }
    }
  }

  /** A state that only this page knows. */
  say(item, state, error = "") {
    this.apply({ position: item.position, state, error, detection: null, summary: error, objects: {} });
  }

  /** Gives an item its file, or takes it away; its words change with that. */
  giveFile(item, file) {
    item.file = file;
    this.#mark(item);
  }

  #mark(item) {
    this.changed.add(item.position);
    this.onChange();
  }

  #count(item, sign) {
    this.totals[item.state] += sign;
    for (const [name, count] of Object.entries(item.objects)) {
      const left = (this.objects.get(name) ?? 0) + sign * count;
      if (left > 0) {
        this.objects.set(name, left);
      } else {
        this.objects.delete(name);
      }
    }
  }
}

/** The server does not know what this page is about to send, nor why it has given up before it got there. */
function knowsBetter(item, change) {
  const gaveUp = item.state === "failed" && item.file !== null && change.state === "waiting";
  return gaveUp || (item.isOurs && change.state !== "done");
}

const baseName = (name) => name.split("/").pop();
// By name and size; then, where only one photo and one item come into question, without the folders, and by size alone.
const KEYS = [
  { keyOf: (name, size) => `${size} ${name}`, mayRepeat: true },
  { keyOf: (name, size) => `${size} ${baseName(name)}`, mayRepeat: false },
  { keyOf: (_name, size) => `${size}`, mayRepeat: false },
];

/** Which photo is which item: [[item, photo], ...]; items that have a file or are done are left alone. */
export function matchPhotos(list, photos) {
  const open = new Set(list.filter((item) => item.file === null && item.state !== "done"));
  const left = new Set(photos);
  const pairs = [];
  for (const { keyOf, mayRepeat } of KEYS) {
    const items = grouped(open, (item) => keyOf(item.name, item.size_bytes));
    for (const [key, alike] of grouped(left, (photo) => keyOf(photo.name, photo.size))) {
      const places = items.get(key) ?? [];
      if (!mayRepeat && (alike.length > 1 || places.length > 1)) {
        continue;
      }
      alike.slice(0, places.length).forEach((photo, index) => {
        pairs.push([places[index], photo]);
        open.delete(places[index]);
        left.delete(photo);
      });
    }
  }
  return pairs;
}

function grouped(values, keyOf) {
  const groups = new Map();
  for (const value of values) {
    const key = keyOf(value);
    if (groups.has(key)) {
      groups.get(key).push(value);
    } else {
      groups.set(key, [value]);
    }
  }
  return groups;
}
