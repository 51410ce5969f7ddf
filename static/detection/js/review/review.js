// The review page: one photo after the other, one key, click or drag for each verdict.

import { addKeys } from "../common/shortcuts.js";
import { listenToButtons } from "./buttons.js";
import { RecentClasses } from "./classes.js";
import { Floor } from "./floor.js";
import { keysOf } from "./keys.js";
import { ObjectList } from "./list.js";
import { Notices } from "./notices.js";
import { Palette } from "./palette.js";
import { Left } from "./queue/left.js";
import { Visits } from "./queue/visits.js";
import { Walk } from "./queue/walk.js";
import { Screen } from "./screen.js";
import { Seen } from "./seen.js";
import { Editor } from "./stage/editor.js";
import { Stage } from "./stage/stage.js";
import { Sending } from "./steps/sending.js";
import { Server } from "./steps/server.js";
import { Review } from "./steps/state.js";
import { Verdicts } from "./verdicts.js";

const start = JSON.parse(document.querySelector("#review-data").textContent);
const { texts } = start;
const root = document.querySelector("[data-review]");
const part = (name) => document.querySelector(`[data-${name}]`);
const server = new Server(start.urls, start.queue);
const walk = new Walk(server);
const seen = new Seen();
const notices = new Notices(part, texts);
const palette = new Palette(part("palette"), start.classes, texts);
const classes = new RecentClasses(part("class-keys"), (name) => verdicts.useClass(name));
const floor = new Floor(part("floor"), () => screen.draw());
const list = new ObjectList(part("objects"), texts, seen, (key) => verdicts.pick(key));
const stage = new Stage(part("stage"), {
  pick: (key) => verdicts.pick(key),
  reject: (key) => verdicts.rejectAt(key),
  drawn: (box) => verdicts.drawn(box),
  sized: (box) => verdicts.sized(box),
  shown: () => screen.photoShown(),
  failed: () => notices.tell(texts.photoMissing),
});
const editor = new Editor(stage, part);
const left = new Left(part("left"), start.queue.reviewed === "1");
const screen = new Screen(start, server, root, part, { stage, editor, list, seen, floor, left, notices });
const sending = new Sending(start, server, root, { walk, left, notices, screen, onLook: (uuid) => visits.reopen(uuid) });
const visits = new Visits(start, root, part, { walk, left, notices, screen, sending, editor });
const verdicts = new Verdicts({ screen, sending, visits, stage, editor, classes, palette, goesOn: () => part("go-on").checked });

/** In a box that is edited an arrow moves or sizes it; else it goes to another object or photo, once each time it is pressed. */
function arrow(right, down) {
  return (event) => {
    if (root.hidden || visits.isLeaving) {
      return right < 0 && !visits.isLeaving && !event.repeat ? visits.previous() : false;
    }
    if (editor.isActive) {
      stage.nudge(right, down, event.shiftKey);
    } else if (down !== 0) {
      screen.step(down);
    } else if (!event.repeat) {
      if (right > 0) {
        visits.next();
      } else {
        visits.previous();
      }
    }
    return true;
  };
}

function enter(event) {
  if (event.target.closest("button, a, summary, select")) {
    return false;
  }
  return !editor.isActive ? visits.done() : verdicts.save();
}

const actions = {
  confirm: () => verdicts.judge("confirmed"),
  reject: () => verdicts.judge("rejected"),
  relabel: () => verdicts.relabel(),
  edit: () => verdicts.edit(),
  draw: () => verdicts.draw(),
  save: () => verdicts.save(),
  undo: () => visits.undo(),
  done: () => visits.done(),
  reopen: () => visits.openAgain(),
  next: () => visits.next(),
  previous: () => visits.previous(),
  arrow,
  enter,
  escape: () => {
    editor.stop();
    screen.goTo(null);
  },
  digit: ({ key, code }) => {
    const name = classes.under(Number(/[1-9]/.test(key) ? key : code.at(-1)));
    return name === undefined ? false : verdicts.useClass(name);
  },
  ghost: () => screen.goTo(screen.ghosts[0]?.object ?? screen.current),
  floor: (steps) => floor.move(steps),
  zoom: (direction) => stage.zoom(direction),
  toggleZoom: () => stage.toggleZoom(),
  magnify: () => stage.toggleMagnifier(),
};

addKeys(keysOf(actions, texts, () => !root.hidden && !visits.isLeaving));

listenToButtons(root, part("stage"), actions, () => visits.isLeaving);

async function begin() {
  let first = new Review(start.review, start.place);
  if (await sending.start(first.uuid)) {
    first = new Review(await server.review(first.uuid), start.place);
  }
  visits.open(first);
  walk.fill(screen.review.uuid);
  root.dataset.ready = "";
  sending.showPending();
}

begin();
