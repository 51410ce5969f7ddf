// Boxes that people draw, move and size, in whole pixels of the photo.

// Which edges a handle moves: -1 the left or upper one, 1 the right or lower one, 0 none.
export const HANDLES = [[-1, -1], [0, -1], [1, -1], [-1, 0], [1, 0], [-1, 1], [0, 1], [1, 1]];
const SMALLEST_PX = 2;

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** A box from two corners, inside of the photo. */
export function boxOf(left, top, right, bottom, size) {
  const [x, farX] = [left, right].map((value) => Math.round(clamp(value, 0, size.width))).sort((a, b) => a - b);
  const [y, farY] = [top, bottom].map((value) => Math.round(clamp(value, 0, size.height))).sort((a, b) => a - b);
  return { x, y, width: farX - x, height: farY - y };
}

export function isLargeEnough(box, size) {
  return box.width >= Math.min(SMALLEST_PX, size.width) && box.height >= Math.min(SMALLEST_PX, size.height);
}

export const holds = (box, { x, y }) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

/** Where a handle lies. */
export function handlePoint(box, [right, down]) {
  return { x: box.x + ((right + 1) / 2) * box.width, y: box.y + ((down + 1) / 2) * box.height };
}

/** Returns the handle of a box within reach of a point, or null. */
export function handleAt(box, point, reach) {
  const near = HANDLES.map((handle) => {
    const at = handlePoint(box, handle);
    return { handle, distance: Math.hypot(at.x - point.x, at.y - point.y) };
  }).sort((one, other) => one.distance - other.distance)[0];
  return near.distance <= reach ? near.handle : null;
}

/** Returns what a handle makes of a box while it is dragged. */
export function sizing(box, [right, down], size) {
  return (to) => boxOf(
    right < 0 ? to.x : box.x,
    down < 0 ? to.y : box.y,
    right > 0 ? to.x : box.x + box.width,
    down > 0 ? to.y : box.y + box.height,
    size,
  );
}

export function moving(box, from, size) {
  return (to) => ({
    ...box,
    x: Math.round(clamp(box.x + to.x - from.x, 0, size.width - box.width)),
    y: Math.round(clamp(box.y + to.y - from.y, 0, size.height - box.height)),
  });
}

export const drawing = (from, size) => (to) => boxOf(from.x, from.y, to.x, to.y, size);

/** Moves a box by a step in pixels, or its right and lower edges. */
export function nudged({ x, y, width, height }, right, down, step, isSizing, size) {
  const [byX, byY] = [right * step, down * step];
  return isSizing
    ? { x, y, width: clamp(width + byX, 1, size.width - x), height: clamp(height + byY, 1, size.height - y) }
    : { x: clamp(x + byX, 0, size.width - width), y: clamp(y + byY, 0, size.height - height), width, height };
}
