// The keys of the review page.

import { gettext } from "../common/i18n.js";

const DIGITS = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** Returns what `addKeys` takes. act: the page's actions; isFree(): whether a photo is shown, and not being left. */
export function keysOf(act, texts, isFree) {
  const free = (run) => (event) => (isFree() ? run(event) : false);
  const held = { repeats: true };
  return [
    { keys: ["c"], shown: ["C"], text: texts.keyConfirm, run: free(act.confirm) },
    { keys: ["x"], shown: ["X"], text: texts.keyReject, run: free(act.reject) },
    { keys: DIGITS, shown: ["1", "9"], text: gettext("Give it one of the classes used last"), run: free((event) => act.digit(event)) },
    { keys: ["r"], shown: ["R"], text: texts.keyRelabel, run: free(act.relabel) },
    { keys: ["e"], shown: ["E"], text: texts.keyEdit, run: free(act.edit) },
    { keys: ["d"], shown: ["D"], text: texts.keyDraw, run: free(act.draw) },
    { keys: ["g"], shown: ["G"], text: gettext("Go to the weaker objects: C accepts one"), run: free(act.ghost) },
    { keys: ["["], shown: ["["], text: gettext("Show more weaker objects"), run: free(() => act.floor(-1)), ...held },
    { keys: ["]"], shown: ["]"], text: gettext("Show fewer of them"), run: free(() => act.floor(1)), ...held },
    { keys: ["z"], shown: ["Z"], text: texts.keyUndo, run: act.undo },
    { keys: ["Enter"], shown: ["↵"], text: texts.keyDone, run: free(act.enter) },
    { keys: ["o"], shown: ["O"], text: texts.keyReopen, run: free(act.reopen) },
    { keys: ["j"], shown: ["J"], text: texts.keyNext, run: free(act.next) },
    { keys: ["k"], shown: ["K"], text: texts.keyPrevious, run: act.previous },
    { keys: ["ArrowRight"], shown: ["→"], text: texts.keyNext, run: act.arrow(1, 0), ...held },
    { keys: ["ArrowLeft"], shown: ["←"], text: texts.keyPrevious, run: act.arrow(-1, 0), ...held },
    { keys: ["ArrowDown"], shown: ["↓"], text: gettext("The next object"), run: act.arrow(0, 1), ...held },
    { keys: ["ArrowUp"], shown: ["↑"], text: gettext("The object before"), run: act.arrow(0, -1), ...held },
    { keys: ["f"], shown: ["F"], text: texts.keyZoom, run: free(act.toggleZoom) },
    { keys: ["+", "="], shown: ["+"], text: gettext("Enlarge the photo"), run: free(() => act.zoom(1)), ...held },
    { keys: ["-"], shown: ["−"], text: gettext("Shrink it"), run: free(() => act.zoom(-1)), ...held },
    { keys: ["m"], shown: ["M"], text: gettext("Magnify what lies under the pointer, and stop"), run: free(act.magnify) },
    { keys: ["Escape"], shown: ["Esc"], text: texts.keyEscape, run: act.escape },
  ];
}
