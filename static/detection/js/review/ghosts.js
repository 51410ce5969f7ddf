// The weaker objects that are worth a look: those that no other box stands for already.

const SAME = 0.6;

/** Intersection over union of two boxes. */
export function iou(one, other) {
  const width = Math.min(one.x + one.width, other.x + other.width) - Math.max(one.x, other.x);
  const height = Math.min(one.y + one.height, other.y + other.height) - Math.max(one.y, other.y);
  const shared = Math.max(0, width) * Math.max(0, height);
  return shared / (one.width * one.height + other.width * other.height - shared || 1);
}

/**
 * Returns those of the weaker objects (the most probable first) that reach the floor, are not left out, and do not lie
 * where an object or a more probable one lies: a rejected object makes room for what else may be there.
 */
export function ghostsOf({ shownWeaker: weaker, objects }, floor, leftOut) {
  const taken = objects.filter((object) => object.verdict !== "rejected").map((object) => object.box);
  const shown = [];
  for (const object of weaker) {
    const isNew = ![...taken, ...shown.map((ghost) => ghost.box)].some((box) => iou(box, object.box) >= SAME);
    if (object.model.probability >= floor && !leftOut.has(object.object) && isNew) {
      shown.push(object);
    }
  }
  return shown;
}
