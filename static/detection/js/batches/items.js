// State of a batch's photos in the page, and its totals. No DOM, no network.

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

  /** Applies a change of one item. A finished item stays finished, despite late changes. */
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

  /** Applies the server's whole list. */
  applyAll(listed) {
    for (const change of listed) {
      const item = this.list[change.position];
      if (item !== undefined && (item.state !== change.state || item.detection !== change.detection) && !isNewerHere(item, change)) {
        this.apply(change);
      }
    }
  }

  /** Sets a state that exists only in this page. */
  say(item, state, error = "") {
    this.apply({ position: item.position, state, error, detection: null, summary: error, objects: {} });
  }

  /** Sets an item's file, or removes it, and updates its text. */
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

/** Returns whether the page's state is newer: photos about to be sent, and failures before the request. */
function isNewerHere(item, change) {
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

/** Matches photos with items: [[item, photo], ...]; skips items that have a file or are done. */
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
