// The review page: one photo after the other, one key, click or drag for each verdict. A verdict is applied here
// immediately and sent in the background; a refused one is reported, and the photo shown in the server's state.

import { addKeys } from "../common/shortcuts.js";
import { listenToButtons } from "./buttons.js";
import { RecentClasses } from "./classes.js";
import { Editor } from "./editor.js";
import { Floor } from "./floor.js";
import { ghostsOf } from "./ghosts.js";
import { drawState, drawTitle } from "./header.js";
import { keysOf } from "./keys.js";
import { Left } from "./left.js";
import { ObjectList, drawnAs } from "./list.js";
import { Notices, compared, comparing, judgeAsked, moreBelow, morePhoto } from "./notices.js";
import { inOrder } from "./order.js";
import { Outbox, Refused } from "./outbox.js";
import { Palette } from "./palette.js";
import { sayableOf, statementsOf } from "./refused.js";
import { Seen } from "./seen.js";
import { Server } from "./server.js";
import { Stage } from "./stage.js";
import { Review } from "./state.js";
import { Walk } from "./walk.js";

const start = JSON.parse(document.querySelector("#review-data").textContent);
const { texts } = start;
const root = document.querySelector("[data-review]");
const part = (name) => document.querySelector(`[data-${name}]`);
const pageOf = (uuid) => `${server.url("page", uuid)}${start.query ? `?${start.query}` : ""}`;
const server = new Server(start.urls, start.queue);
const walk = new Walk(server);
const seen = new Seen();
const notices = new Notices(part, texts);
const palette = new Palette(part("palette"), start.classes, texts);
const classes = new RecentClasses(part("class-keys"), useClass);
const floor = new Floor(part("floor"), () => draw());
const list = new ObjectList(part("objects"), texts, seen, pick);
const stage = new Stage(part("stage"), { pick, reject: (key) => rejectAt(key), drawn, sized, shown: photoShown, failed: () => notices.tell(texts.photoMissing) });
const editor = new Editor(stage, part);
const left = new Left(part("left"), start.queue.reviewed === "1");
const outbox = new Outbox(start.user, (step) => server.send(step), { answer: answered, refused, waiting });

// The photos of this visit's own steps: undo goes back to them.
const steps = [];
let review = null;
let current = null;
// Objects in the order in which they are gone through, and the weaker ones that are shown.
let objects = [];
let ghosts = [];
let leftOut = new Set();
// Keys are ignored until the next photo is shown.
let isLeaving = false;

const isGhost = (key) => ghosts.some((object) => object.object === key);
const find = (key) => review.find(key) ?? ghosts.find((object) => object.object === key);
const sorted = (some) => inOrder(some, start.queue, review.place.asked);
const firstOpen = () => sorted(review.open)[0]?.object;

function open(shown, { isBack = false } = {}) {
  review = shown;
  if (start.isBlind && !isBack) {
    review.hideModel();
  }
  walk.visit(shown, { isBack });
  seen.open();
  list.open();
  leftOut = new Set();
  root.hidden = false;
  part("end").hidden = true;
  root.dataset.shown = "";
  current = firstOpen() ?? sorted(review.shown)[0]?.object ?? null;
  const { width, height, photo_name: name } = review.answer;
  stage.open(server.url("photo", review.uuid), { width, height }, name || texts.noName);
  editor.stop();
  drawTitle(part, review, server.url("detection", review.uuid), texts);
  window.history.replaceState(null, "", pageOf(review.uuid));
  notices.hint("");
  draw();
}

function photoShown() {
  seen.photoIsShown();
  root.dataset.shown = review.uuid;
}

function draw() {
  objects = sorted(review.shown);
  ghosts = ghostsOf(review, floor.value, leftOut);
  if (current !== null && find(current) === undefined) {
    current = firstOpen() ?? objects[0]?.object ?? null;
  }
  const drawn = [...objects, ...ghosts].map((object) => drawnAs(object, { isCurrent: object.object === current, ghost: isGhost(object.object) }));
  // The current one gets its chip first, and lies on top.
  stage.show([...drawn.filter(({ key }) => key === current), ...drawn.filter(({ key }) => key !== current)], current);
  list.show(objects, ghosts, current, review.place.asked);
  list.reveal(current);
  part("no-objects").hidden = objects.length + ghosts.length > 0;
  drawState(root, part, review, texts, current !== null);
  left.draw();
}

/** Whether the photo was on the screen; nothing is said of one that was not. */
function isShown() {
  if (!seen.isPhoto) {
    notices.hint(morePhoto());
  }
  return seen.isPhoto;
}

/** Whether photo and list were on the screen; shows what is missing. */
function isWhole() {
  const unseen = seen.unseen(objects);
  if (seen.isPhoto && unseen.length > 0) {
    notices.hint(moreBelow(unseen.length));
    list.reveal(unseen[0].object, "start");
  }
  return isShown() && unseen.length === 0;
}

/** Clicked: a weaker object is accepted, another one becomes the current one. */
function pick(key) {
  editor.stop();
  current = key;
  if (isGhost(key) && isShown()) {
    accept(key);
  }
  draw();
}

function accept(key) {
  classes.use(find(key).objectClass);
  say([{ object: key, verdict: "confirmed" }]);
}

/** Records a verdict on the shown photo, immediately here and then on the server. */
function say(statements, reviewed = null) {
  const wasDone = review.isDone;
  const body = review.say(statements, reviewed);
  steps.push(review.uuid);
  left.count(review, wasDone);
  notices.tell("");
  notices.hint("");
  outbox.add({ uuid: review.uuid, name: "review", body });
  showPending();
}

function answered({ uuid }, state) {
  const said = walk.known(uuid);
  if (said !== undefined) {
    said.pending = Math.max(0, said.pending - 1);
    if (said.pending === 0) {
      const before = said.isDone;
      const wasBlind = said.isBlind;
      said.take(state);
      left.count(said, before);
      if (said === review && wasBlind && !said.isBlind) {
        reveal();
      }
    }
  }
  if (said === review && said.pending === 0) {
    draw();
  }
}

/** Shows what the model found, and what became of it. */
function reveal() {
  drawTitle(part, review, server.url("detection", review.uuid), texts);
  current = null;
  notices.hint(compared());
}

/** Shows the server's state instead, with the reason; what was said can be said again. */
async function refused({ uuid, body }, error, dropped) {
  const said = walk.known(uuid);
  const statements = statementsOf(body, dropped);
  const sentence = error.review === undefined ? texts.notSaved.replace("{reason}", error.message) : error.message;
  steps.splice(0, steps.length, ...steps.filter((other) => other !== uuid));
  if (said !== undefined) {
    said.pending = 0;
    const before = said.isDone;
    try {
      said.take(error.review ?? (await server.review(uuid)));
      left.count(said, before);
    } catch {
      walk.forget(uuid);
    }
  }
  tellRefused(uuid, sentence, statements);
  left.draw();
  if (said === review) {
    draw();
  }
}

/** Reports what was refused; where another photo is shown, the way there comes first. */
function tellRefused(uuid, sentence, statements) {
  if (uuid !== review.uuid) {
    notices.tell(sentence, { look: async () => {
      await reopenVisited(uuid);
      tellRefused(uuid, sentence, statements);
    } });
  } else {
    notices.tell(sentence, { again: statements.length === 0 ? null : () => sayAgain(statements) });
  }
}

/** Says what was refused once more, of what is there now; whether the photo is done is asked anew. */
function sayAgain(statements) {
  const possible = sayableOf(statements, review);
  if (possible.length > 0) {
    say(possible);
  }
  notices.tell("");
  draw();
}

function waiting(count, error) {
  notices.waiting(count, error);
  showPending();
}

/** Shows the number of steps on their way. */
function showPending() {
  root.dataset.pending = outbox.count;
}

/** After a verdict: the next object that is open, or the end of this photo. */
function goOn(statements) {
  const about = find(current);
  const wasOpen = about?.verdict === "" && !isGhost(current);
  const said = new Set(statements.map((statement) => statement.object));
  const isLast = wasOpen && !(review.isReviewed && review.isDone) && review.open.every((object) => said.has(object.object));
  if (isLast && part("go-on").checked && isWhole()) {
    say(statements, review.isReviewed ? null : true);
    next();
    return;
  }
  say(statements);
  if (wasOpen) {
    const keys = objects.map((object) => object.object);
    const behind = [...keys.slice(keys.indexOf(current) + 1), ...keys];
    current = behind.find((key) => review.find(key)?.verdict === "") ?? current;
  }
  draw();
}

function judge(verdict) {
  if (current === null || editor.isActive || !isShown()) {
    return false;
  }
  if (isGhost(current)) {
    judgeGhost(verdict);
  } else if (verdict === "confirmed" && find(current).verdict !== "" && find(current).verdict !== "rejected") {
    // What a person has said of it stands; a model's box that was changed is not changed back by a key too many.
    current = firstOpen() ?? current;
    draw();
  } else {
    goOn([{ object: current, verdict }]);
  }
  return true;
}

/** A weaker object is accepted or left out, and the next one is the current one. */
function judgeGhost(verdict) {
  const place = ghosts.findIndex((object) => object.object === current);
  const following = ghosts[place + 1]?.object ?? firstOpen() ?? ghosts[place - 1]?.object;
  if (verdict === "confirmed") {
    accept(current);
  } else {
    leftOut.add(current);
  }
  current = following ?? current;
  draw();
}

function rejectAt(key) {
  editor.stop();
  current = key;
  judge("rejected");
}

/** Gives the current object a class: one of those used last, by key or click. */
function useClass(name) {
  const about = current === null ? undefined : find(current);
  classes.use(name);
  if (about !== undefined && !editor.isActive && isShown() && (about.objectClass !== name || about.verdict === "")) {
    goOn([{ object: current, verdict: "relabelled", objectClass: name }]);
  }
}

async function relabel() {
  if (current === null || editor.isActive || !isShown()) {
    return;
  }
  const [about, shown] = [current, review];
  const objectClass = await palette.ask(find(current).objectClass, classes.all);
  if (objectClass !== null && review === shown) {
    current = about;
    useClass(objectClass);
  }
}

function edit() {
  if (current !== null && !editor.isActive && isShown()) {
    editor.begin(find(current).box, { isNew: false });
  }
}

function drawMissed() {
  if (!editor.isActive && isShown()) {
    editor.begin(stage.middle(), { isNew: true });
  }
}

function save() {
  const box = stage.edited;
  if (editor.isNew) {
    drawn(box);
  } else {
    editor.stop();
    goOn([{ object: current, verdict: "corrected", box }]);
  }
}

/** The current box was sized. */
function sized(box) {
  if (isShown()) {
    say([{ object: current, verdict: "corrected", box }]);
    draw();
  }
}

/** A missed object was drawn: it has the class used last, and keys give it another one. */
async function drawn(box) {
  const shown = review;
  if (!isShown()) {
    return;
  }
  if (classes.newest === null) {
    stage.edit(box);
  }
  const objectClass = classes.newest ?? (await palette.ask(null, classes.all));
  if (objectClass !== null && review === shown) {
    editor.stop();
    classes.use(objectClass);
    say([{ verdict: "added", objectClass, box }]);
    current = review.objects.at(-1).object;
    draw();
  } else if (!editor.isNew) {
    editor.stop();
  }
}

async function next() {
  const from = review.uuid;
  const visited = walk.beside(from, 1);
  if (visited !== undefined) {
    await reopenVisited(visited);
    return;
  }
  isLeaving = true;
  try {
    const following = await walk.after(from);
    if (following === null) {
      atEnd();
    } else {
      open(following);
    }
  } catch (error) {
    notices.noAnswer(error);
    draw();
  } finally {
    isLeaving = false;
  }
}

function atEnd() {
  root.hidden = true;
  part("end").hidden = false;
  left.draw();
}

async function previous() {
  const before = root.hidden ? review.uuid : walk.beside(review.uuid, -1);
  if (before !== undefined) {
    await reopenVisited(before);
  }
}

/** Shows a photo of this visit again: as it is known here while a step is on its way, else as the server has it now. */
async function reopenVisited(uuid) {
  const known = await walk.fetch(uuid);
  open(known, { isBack: true });
  if ((await walk.renew(known)) && known === review) {
    draw();
  }
}

async function undo() {
  if (isLeaving) {
    return;
  }
  if (editor.isActive) {
    editor.stop();
    return;
  }
  const uuid = steps.pop() ?? review.uuid;
  if (uuid !== review.uuid || root.hidden) {
    open(await walk.fetch(uuid), { isBack: true });
  }
  const wasDone = review.isDone;
  outbox.add({ uuid, name: "undo", body: review.undo() });
  left.count(review, wasDone);
  notices.tell("");
  showPending();
  current = firstOpen() ?? current;
  draw();
}

function done() {
  if (review.asked.length > 0) {
    current = review.asked[0];
    notices.hint(judgeAsked());
    draw();
    return;
  }
  if (!review.isReviewed) {
    if (!isWhole()) {
      return;
    }
    say([], true);
    if (review.isBlind) {
      notices.hint(comparing());
      draw();
      return;
    }
  }
  next();
}

function reopen() {
  if (review.isReviewed) {
    say([], false);
    draw();
  }
}

function step(by) {
  const keys = [...objects, ...ghosts].map((object) => object.object);
  if (keys.length > 0) {
    editor.stop();
    current = keys[(keys.indexOf(current) + by + keys.length) % keys.length];
    draw();
  }
}

/** In a box that is edited an arrow moves or sizes it; else it goes to another object or photo, once each time it is pressed. */
function arrow(right, down) {
  return (event) => {
    if (root.hidden || isLeaving) {
      return right < 0 && !isLeaving && !event.repeat ? previous() : false;
    }
    if (editor.isActive) {
      stage.nudge(right, down, event.shiftKey);
    } else if (down !== 0) {
      step(down);
    } else if (!event.repeat) {
      (right > 0 ? next : previous)();
    }
    return true;
  };
}

function enter(event) {
  if (event.target.closest("button, a, summary, select")) {
    return false;
  }
  return !editor.isActive ? done() : save();
}

const actions = {
  confirm: () => judge("confirmed"),
  reject: () => judge("rejected"),
  relabel, edit, draw: drawMissed, undo, save, done, reopen, next, previous, arrow, enter,
  escape: () => {
    editor.stop();
    current = null;
    draw();
  },
  digit: ({ key, code }) => {
    const name = classes.under(Number(/[1-9]/.test(key) ? key : code.at(-1)));
    return name === undefined ? false : useClass(name);
  },
  ghost: () => {
    current = ghosts[0]?.object ?? current;
    draw();
  },
  floor: (steps) => floor.move(steps),
  zoom: (direction) => stage.zoom(direction),
  toggleZoom: () => stage.toggleZoom(),
  magnify: () => stage.toggleMagnifier(),
};

addKeys(keysOf(actions, texts, () => !root.hidden && !isLeaving));

listenToButtons(root, part("stage"), actions, () => isLeaving);

async function begin() {
  let first = new Review(start.review, start.place);
  outbox.start();
  if (outbox.has(first.uuid)) {
    await outbox.idle();
    first = new Review(await server.review(first.uuid), start.place);
  }
  open(first);
  walk.fill(review.uuid);
  root.dataset.ready = "";
  showPending();
}

begin();
