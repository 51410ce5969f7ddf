// Picks the photos out of what was dropped, pasted or chosen.

import { gettext, interpolate, ngettext, number } from "../common/i18n.js";

// The server looks at the bytes of what has no type.
const UNKNOWN_TYPE = "application/octet-stream";
const NAME_LENGTH = 255;
const inOrder = new Intl.Collator(undefined, { numeric: true });
export const NO_PHOTO = gettext("That is not a photo. Choose a JPEG, PNG, WebP, HEIC or another photo.");

/** True when a drag carries files (and not, say, a piece of text of the page). */
export function carriesFiles(transfer) {
  return transfer !== null && [...transfer.types].includes("Files");
}

/** Media types and endings of photos, as the file field of the page lists them. */
function photoKinds() {
  return new Set(document.querySelector("input[type=file][accept^=image]").accept.split(","));
}

/** The media type of a photo, or an empty string for any other file. Many systems know no type for some endings. */
export function photoType(file, kinds = photoKinds()) {
  if (kinds.has(file.type)) {
    return file.type;
  }
  return kinds.has(`.${file.name.split(".").pop().toLowerCase()}`) ? file.type || UNKNOWN_TYPE : "";
}

/** True for what calls itself a picture: one alone is sent whatever it is, and the server names what it cannot read. */
function isPicture(file) {
  return file.type.startsWith("image/");
}

/**
 * The photos and videos among files of [file, path], 2.jpg before 10.jpg: {photos: [{file, name, size}], videos, note,
 * folder}. The name has the folders in it; note says what was left out; folder is the one that all of them lie in, or
 * an empty string.
 */
function sorted(pairs) {
  const kinds = photoKinds();
  const named = pairs
    .map(([file, path]) => ({ file, name: path.toWellFormed().slice(-NAME_LENGTH), size: file.size }))
    .sort((one, other) => inOrder.compare(one.name, other.name));
  const photos = named.filter(({ file }) => photoType(file, kinds) !== "" || (pairs.length === 1 && isPicture(file)));
  const videos = named.filter(({ file }) => file.type.startsWith("video/"));
  const folders = new Set(pairs.map(([, path]) => (path.includes("/") ? path.split("/", 1)[0] : "")));
  return {
    photos,
    videos,
    // With nothing to take, NO_PHOTO says what to choose instead.
    note: photos.length + videos.length === 0 ? "" : leftOutNote(pairs.length - photos.length - videos.length),
    folder: folders.size === 1 ? [...folders][0] : "",
  };
}

/** The photos of a file field. */
export function photosOfInput(input) {
  return sorted([...input.files].map((file) => [file, file.webkitRelativePath || file.name]));
}

/** The photos of a drop or of the clipboard; folders are read with all that lies in them. */
export async function photosOfTransfer(transfer) {
  // What a transfer holds can be asked for only until the first wait.
  const files = [...transfer.files];
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => entry);
  if (!entries.some((entry) => entry.isDirectory)) {
    return sorted(files.map((file) => [file, file.name]));
  }
  const pairs = [];
  for (const entry of entries) {
    for await (const pair of filesBelow(entry)) {
      pairs.push(pair);
    }
  }
  return sorted(pairs);
}

async function* filesBelow(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    yield [file, entry.fullPath.replace(/^\//, "")];
    return;
  }
  const reader = entry.createReader();
  // A reader hands over some of the entries at a time, and none at the end.
  for (let some = await readSome(reader); some.length > 0; some = await readSome(reader)) {
    for (const inner of some) {
      yield* filesBelow(inner);
    }
  }
}

function readSome(reader) {
  return new Promise((resolve, reject) => reader.readEntries(resolve, reject));
}

/** The sentence about files that are no photos, or an empty string. */
function leftOutNote(count) {
  if (count === 0) {
    return "";
  }
  return interpolate(ngettext("Skipped %(count)s file that isn't a supported photo.", "Skipped %(count)s files that aren't supported photos.", count), { count });
}

/** The sentence that says why a chosen file cannot be sent, or an empty string. */
export function whyNot(file, maxBytes) {
  if (photoType(file) === "" && !isPicture(file)) {
    return NO_PHOTO;
  }
  if (file.size > maxBytes) {
    const [size, limit] = [file.size, maxBytes].map((bytes) => number(bytes / 1_000_000, 1));
    return interpolate(gettext("The photo has %(size)s MB, the limit is %(limit)s MB. Choose a smaller one."), { size, limit });
  }
  return "";
}
