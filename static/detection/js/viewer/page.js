// A detection's page: its viewer, and the keys that lead to the next detections.

import { addKeys } from "../common/shortcuts.js";
import { gettext } from "../common/i18n.js";
import { Viewer } from "./viewer.js";

function follow(name) {
  const link = document.querySelector(`[data-${name}]`);
  link?.click();
  return link !== null;
}

const viewer = new Viewer(document.querySelector("[data-result]"), document);
const isOpen = await viewer.open();
addKeys([
  { keys: ["j"], shown: ["J"], text: gettext("The next older detection"), run: () => follow("older") },
  { keys: ["k"], shown: ["K"], text: gettext("The next newer detection"), run: () => follow("newer") },
  { keys: ["ArrowRight"], shown: ["→"], text: gettext("Older; in the enlarged photo, move right"), run: () => viewer.move(1, 0) || follow("older"), repeats: true },
  { keys: ["ArrowLeft"], shown: ["←"], text: gettext("Newer; in the enlarged photo, move left"), run: () => viewer.move(-1, 0) || follow("newer"), repeats: true },
  ...(isOpen ? viewer.keys : []),
]);
