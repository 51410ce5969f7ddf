// Places the chips of boxes so that none covers another one. Everything is in pixels of the screen.

const overlap = (one, other) =>
  one.x < other.x + other.width && other.x < one.x + one.width && one.y < other.y + other.height && other.y < one.y + one.height;

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** The part of a box within the view, or null. */
function seenPart(box, view) {
  const left = Math.max(box.x, 0);
  const top = Math.max(box.y, 0);
  const right = Math.min(box.x + box.width, view.width);
  const bottom = Math.min(box.y + box.height, view.height);
  return right < left || bottom < top ? null : { left, top, right, bottom };
}

/** The places of a chip at a box, the best one first; within the box only where it leaves most of the box to be seen. */
function placesOf({ left, top, right, bottom }, { width, height }) {
  const isLarge = right - left >= width && bottom - top >= 3 * height;
  const within = (x, y) => (isLarge ? [x, y] : undefined);
  return [
    [left, top - height],
    within(left, top),
    [right - width, top - height],
    [left, bottom],
    [right - width, bottom],
    within(right - width, top),
    within(left, bottom - height),
    within(right - width, bottom - height),
    [right, top],
    [left - width, top],
    [right, bottom - height],
    [left - width, bottom - height],
  ];
}

/**
 * Returns a place for each box, or null where there is no room: {x, y, width, height, choice, spot}.
 *
 * boxes: [{x, y, width, height, chips: [{width, height}, ...], before}], the most important first, each with the chips to
 * try, the longest first; `choice` is the place of the one that fits, `spot` its place at the box. before: the place of the
 * last time, if there was one: it is kept where that is possible, so that chips do not move under the pointer.
 * view: {width, height}; boxes out of it have no chip.
 */
export function placeChips(boxes, view) {
  const taken = [];
  const places = new Array(boxes.length).fill(null);
  const put = (index, find) => {
    const part = places[index] === null ? seenPart(boxes[index], view) : null;
    const place = part === null ? null : find(part, boxes[index]);
    if (place !== null) {
      places[index] = place;
      taken.push(place);
    }
  };
  for (const index of boxes.keys()) {
    put(index, (part, { chips, before }) => (before ? freeSpot(part, chips, before, view, taken) : null));
  }
  for (const index of boxes.keys()) {
    put(index, (part, { chips }) => firstFree(part, chips, view, taken));
  }
  return places;
}

function firstFree(part, chips, view, taken) {
  for (const choice of chips.keys()) {
    for (const spot of placesOf(part, chips[choice]).keys()) {
      const place = freeSpot(part, chips, { choice, spot }, view, taken);
      if (place !== null) {
        return place;
      }
    }
  }
  return null;
}

/** Returns the place of a chip at a spot of its box, or null where it leaves the view or covers another one. */
function freeSpot(part, chips, { choice, spot }, view, taken) {
  const { width, height } = chips[Math.min(choice, chips.length - 1)];
  const at = placesOf(part, { width, height })[spot];
  if (at === undefined || at[1] < 0 || at[1] + height > view.height) {
    return null;
  }
  const place = { x: clamp(at[0], 0, Math.max(0, view.width - width)), y: at[1], width, height, choice: Math.min(choice, chips.length - 1), spot };
  return taken.some((other) => overlap(place, other)) ? null : place;
}
