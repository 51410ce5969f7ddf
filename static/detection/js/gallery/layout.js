// Justified rows: photos of one row have one height, and together the width of the gallery.

const GAP_PX = 6;
// A photo that is wider or narrower is cut to this: a panorama would have a row of its own.
const WIDEST = 3;
const NARROWEST = 0.5;

export const ratioOf = ({ width, height }) => Math.min(WIDEST, Math.max(NARROWEST, width / Math.max(1, height)));

/** The height of a full row of these ratios. */
function heightOf(ratios, width) {
  const sum = ratios.reduce((total, ratio) => total + ratio, 0);
  return (width - GAP_PX * (ratios.length - 1)) / sum;
}

/**
 * Puts photos into rows of about one height: {rows: [{photos, height}], rest}.
 *
 * rest: the photos that do not fill a row yet, to be put before the next ones; empty where `isLast` says that none come.
 */
export function justify(photos, width, targetPx, isLast) {
  const rows = [];
  let row = [];
  for (const photo of photos) {
    row.push(photo);
    const height = heightOf(row.map(ratioOf), width);
    if (height <= targetPx) {
      rows.push({ photos: row, height });
      row = [];
    }
  }
  if (row.length === 0 || !isLast) {
    return { rows, rest: row };
  }
  rows.push({ photos: row, height: Math.min(targetPx, heightOf(row.map(ratioOf), width)) });
  return { rows, rest: [] };
}

/** Gives each photo of some rows its place in them, {left, top, width, height}; returns the height of all. */
export function place(rows) {
  let top = 0;
  for (const { photos, height } of rows) {
    let left = 0;
    for (const photo of photos) {
      const width = ratioOf(photo) * height;
      photo.at = { left, top, width, height };
      left += width + GAP_PX;
    }
    top += height + GAP_PX;
  }
  return top;
}
