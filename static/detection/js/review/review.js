// The review page: one photo after the other, one key for each verdict. A verdict is applied here immediately and sent in
// the background; a refused one is reported, and the photo shown in the server's state.

import { addKeys } from "../common/shortcuts.js";
import { Prefetch } from "./prefetch.js";
import { Palette } from "./palette.js";
import { Refused, Server } from "./server.js";
import { Stage } from "./stage.js";
import { Review } from "./state.js";

const start = JSON.parse(document.querySelector("#review-data").textContent);
const { texts } = start;
const root = document.querySelector("[data-review]");
const part = (name) => document.querySelector(`[data-${name}]`);
const server = new Server(start.urls, start.queue);
const prefetch = new Prefetch(server);
const palette = new Palette(part("palette"), start.classes, texts);
const stage = new Stage(part("stage"), pick, () => tell(texts.photoMissing));

// Visited photos, in order, by id, for going back.
const reviews = new Map();
const visited = [];
// The photos of this visit's own steps: undo goes back to them.
const steps = [];
let review = null;
let current = null;
let drawsNew = false;
// Keys are ignored until the next photo is shown.
let isLeaving = false;
let left = Number(part("left").dataset.count);
const isCounted = part("left").textContent === left.toLocaleString("en");

function tell(sentence, uuid = null) {
  part("problem").hidden = sentence === "";
  part("problem-text").textContent = sentence;
  const link = part("problem-link");
  link.hidden = uuid === null;
  if (uuid !== null) {
    link.href = pageOf(uuid);
    link.textContent = texts.lookThere;
  }
}

const pageOf = (uuid) => `${server.url("page", uuid)}${start.query ? `?${start.query}` : ""}`;

function open(shown, { isBack = false } = {}) {
  review = shown;
  reviews.set(shown.uuid, shown);
  if (!isBack) {
    visited.push(shown.uuid);
  }
  root.hidden = false;
  part("end").hidden = true;
  current = review.open[0]?.object ?? review.objects[0]?.object ?? null;
  stopEditing();
  const { width, height, photo_name: name } = review.answer;
  stage.open(server.url("photo", review.uuid), { width, height }, name || texts.noName);
  part("photo-link").href = server.url("detection", review.uuid);
  part("photo-link").textContent = name || texts.noName;
  window.history.replaceState(null, "", pageOf(review.uuid));
  draw();
}

function draw() {
  stage.show(review.objects, current);
  part("objects").replaceChildren(...review.objects.map(rowOf));
  part("no-objects").hidden = review.objects.length > 0;
  const done = part("done");
  done.hidden = !review.isReviewed;
  const by = review.answer.reviewed_by;
  done.textContent = by && review.answer.is_reviewed ? texts.reviewedBy.replace("{name}", by) : texts.reviewed;
  root.querySelector("[data-do=reopen]").hidden = !review.isReviewed;
  part("left").textContent = isCounted ? left.toLocaleString("en") : part("left").textContent;
  const about = review.find(current);
  for (const name of ["confirm", "reject", "relabel", "edit"]) {
    root.querySelector(`[data-do=${name}]`).disabled = about === undefined;
  }
}

function rowOf(object) {
  const row = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = `judged-row ${object.verdict || "open"}`;
  if (object.object === current) {
    button.setAttribute("aria-current", "true");
  }
  const [name, about, verdict] = ["strong", "span", "span"].map((tag) => document.createElement(tag));
  name.textContent = object.objectClass;
  about.className = "judged-about";
  about.textContent = aboutOf(object);
  verdict.className = "judged-verdict";
  verdict.textContent = texts.verdicts[object.verdict] + (object.by ? ` · ${object.by}` : "");
  button.append(name, about, verdict);
  button.addEventListener("click", () => pick(object.object));
  row.append(button);
  return row;
}

function aboutOf({ model, objectClass }) {
  if (model === null) {
    return texts.drawn;
  }
  const percent = `${Math.round(model.probability * 1000) / 10} %`;
  return model.objectClass === objectClass ? percent : `${percent} · ${texts.wasClass.replace("{name}", model.objectClass)}`;
}

function pick(key) {
  stopEditing();
  current = key;
  draw();
}

/** Records a verdict on the shown photo, immediately here and then on the server. */
function say(statements, reviewed = null) {
  const said = review;
  const wasReviewed = said.isReviewed;
  const body = said.say(statements, reviewed);
  steps.push(said.uuid);
  count(said, wasReviewed);
  tell("");
  showPending();
  settle(said, server.say(said.uuid, body));
}

/** A photo that is done leaves the queue of those that are left, one that is opened again leaves the others. */
function count(said, wasReviewed) {
  if (said.isReviewed !== wasReviewed) {
    const leaves = said.isReviewed === (start.queue.reviewed === "0");
    left = Math.max(0, left + (leaves ? -1 : 1));
  }
}

async function settle(said, answer) {
  try {
    const state = await answer;
    said.pending -= 1;
    if (said.pending === 0) {
      said.take(state);
    }
  } catch (error) {
    said.pending -= 1;
    await refused(said, error);
  }
  if (said === review && said.pending === 0) {
    keepCurrent();
    draw();
  }
  showPending();
}

/** Shows the number of verdicts in flight. */
function showPending() {
  root.dataset.pending = [...reviews.values()].reduce((sum, one) => sum + one.pending, 0);
}

/** Shows the server's state instead, with the reason. */
async function refused(said, error) {
  const before = said.isReviewed;
  const sentence = error instanceof Refused ? error.message : texts.noServer;
  tell(error.review === undefined ? texts.notSaved.replace("{reason}", sentence) : sentence, said === review ? null : said.uuid);
  steps.splice(0, steps.length, ...steps.filter((uuid) => uuid !== said.uuid));
  try {
    said.take(error.review ?? (await server.review(said.uuid)));
    count(said, before);
  } catch {
    // The server is unreachable: the review is fetched again when the photo is opened.
    reviews.delete(said.uuid);
  }
}

function keepCurrent() {
  if (review.find(current) === undefined) {
    current = review.objects[0]?.object ?? null;
  }
}

/** After a verdict: the next object that is open, or the end of this photo. */
function goOn(statements) {
  const said = new Set(statements.map((statement) => statement.object));
  const isLast = !review.isReviewed && review.open.every((object) => said.has(object.object));
  if (isLast && part("go-on").checked) {
    say(statements, true);
    next();
    return;
  }
  say(statements);
  const keys = review.objects.map((object) => object.object);
  const behind = [...keys.slice(keys.indexOf(current) + 1), ...keys];
  current = behind.find((key) => review.find(key).verdict === "") ?? current;
  keepCurrent();
  draw();
}

function judge(verdict) {
  if (current === null || stage.edited !== null) {
    return false;
  }
  goOn([{ object: current, verdict }]);
  return true;
}

async function relabel() {
  if (current === null || stage.edited !== null) {
    return;
  }
  const [about, shown] = [current, review];
  const objectClass = await palette.ask(review.find(current).objectClass);
  if (objectClass !== null && review === shown) {
    goOn([{ object: about, verdict: "relabelled", objectClass }]);
  }
}

function edit() {
  if (current !== null && stage.edited === null) {
    drawsNew = false;
    beginEditing(review.find(current).box);
  }
}

function drawMissed() {
  if (stage.edited === null) {
    drawsNew = true;
    beginEditing(stage.middle());
  }
}

function beginEditing(box) {
  stage.edit(box);
  part("edit-bar").hidden = false;
  part("stage").focus({ preventScroll: true });
}

function stopEditing() {
  stage.edit(null);
  part("edit-bar").hidden = true;
}

async function save() {
  const [box, shown] = [stage.edited, review];
  if (!drawsNew) {
    stopEditing();
    goOn([{ object: current, verdict: "corrected", box }]);
    return;
  }
  const objectClass = await palette.ask(null);
  if (objectClass !== null && review === shown) {
    stopEditing();
    say([{ verdict: "added", objectClass, box }]);
    draw();
  }
}

async function next() {
  const from = review.uuid;
  const place = visited.indexOf(from);
  if (place >= 0 && place < visited.length - 1) {
    await reopenVisited(visited[place + 1]);
    return;
  }
  isLeaving = true;
  try {
    const answer = await prefetch.after(from);
    if (answer === null) {
      atEnd();
    } else {
      open(new Review(answer));
    }
  } catch (error) {
    prefetch.forget();
    tell(error instanceof Refused ? error.message : texts.noServer);
  } finally {
    isLeaving = false;
  }
}

function atEnd() {
  root.hidden = true;
  part("end").hidden = false;
  part("left").textContent = isCounted ? left.toLocaleString("en") : part("left").textContent;
}

async function previous() {
  if (root.hidden) {
    open(review, { isBack: true });
    return;
  }
  const place = visited.indexOf(review.uuid);
  if (place > 0) {
    await reopenVisited(visited[place - 1]);
  }
}

/** Shows a photo of this visit again: as it is known here while a step is on its way, else as the server has it now. */
async function reopenVisited(uuid) {
  let known = reviews.get(uuid);
  if (known === undefined) {
    known = new Review(await server.review(uuid));
  }
  open(known, { isBack: true });
  if (known.pending === 0) {
    const answer = await server.review(uuid).catch(() => null);
    if (answer !== null && known.pending === 0) {
      known.take(answer);
      if (known === review) {
        keepCurrent();
        draw();
      }
    }
  }
}

async function undo() {
  if (isLeaving) {
    return;
  }
  if (stage.edited !== null) {
    stopEditing();
    return;
  }
  const uuid = steps.pop() ?? review.uuid;
  if (uuid !== review.uuid || root.hidden) {
    open(reviews.get(uuid) ?? new Review(await server.review(uuid)), { isBack: true });
  }
  const undone = review;
  const wasReviewed = undone.isReviewed;
  const answer = server.undo(uuid, undone.undo());
  tell("");
  showPending();
  await settle(undone, answer);
  count(undone, wasReviewed);
  if (undone === review) {
    current = undone.open[0]?.object ?? current;
    keepCurrent();
    draw();
  }
}

function done() {
  if (!review.isReviewed) {
    say([], true);
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
  const keys = review.objects.map((object) => object.object);
  if (keys.length > 0) {
    pick(keys[(keys.indexOf(current) + by + keys.length) % keys.length]);
  }
}

const actions = {
  confirm: () => judge("confirmed"),
  reject: () => judge("rejected"),
  relabel, edit, draw: drawMissed, undo, save, done, reopen, next, previous,
  escape: stopEditing,
};

/** In a box that is edited an arrow moves or sizes it; else it goes to another object or photo. */
function arrow(right, down) {
  return (event) => {
    if (root.hidden || isLeaving) {
      return right < 0 && !isLeaving ? previous() : false;
    }
    if (stage.edited !== null) {
      stage.nudge(right, down, event.shiftKey);
    } else if (down !== 0) {
      step(down);
    } else if (right > 0) {
      next();
    } else {
      previous();
    }
    return true;
  };
}

/** At the end of the queue only the way back is open. */
const unlessAtEnd = (run) => (event) => (root.hidden || isLeaving ? false : run(event));

function enter(event) {
  if (event.target.closest("button, a, summary, select")) {
    return false;
  }
  return stage.edited === null ? done() : save();
}

addKeys([
  { keys: ["c"], shown: ["C"], text: texts.keyConfirm, run: unlessAtEnd(actions.confirm) },
  { keys: ["x"], shown: ["X"], text: texts.keyReject, run: unlessAtEnd(actions.reject) },
  { keys: ["r"], shown: ["R"], text: texts.keyRelabel, run: unlessAtEnd(relabel) },
  { keys: ["e"], shown: ["E"], text: texts.keyEdit, run: unlessAtEnd(edit) },
  { keys: ["d"], shown: ["D"], text: texts.keyDraw, run: unlessAtEnd(drawMissed) },
  { keys: ["z"], shown: ["Z"], text: texts.keyUndo, run: undo },
  { keys: ["Enter"], shown: ["↵"], text: texts.keyDone, run: unlessAtEnd(enter) },
  { keys: ["o"], shown: ["O"], text: texts.keyReopen, run: unlessAtEnd(reopen) },
  { keys: ["j"], shown: ["J"], text: texts.keyNext, run: unlessAtEnd(next) },
  { keys: ["k"], shown: ["K"], text: texts.keyPrevious, run: previous },
  { keys: ["ArrowRight"], shown: ["→"], text: texts.keyNext, run: arrow(1, 0) },
  { keys: ["ArrowLeft"], shown: ["←"], text: texts.keyPrevious, run: arrow(-1, 0) },
  { keys: ["ArrowDown", "ArrowUp"], shown: ["↓", "↑"], text: texts.keyObjects, run: (event) => arrow(0, event.key === "ArrowDown" ? 1 : -1)(event) },
  { keys: ["f"], shown: ["F"], text: texts.keyZoom, run: unlessAtEnd(() => stage.toggleZoom()) },
  { keys: ["Escape"], shown: ["Esc"], text: texts.keyEscape, run: stopEditing },
]);

for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => (isLeaving ? undefined : actions[button.dataset.do]()));
}
for (const choice of document.querySelectorAll("[data-filter]")) {
  choice.addEventListener("change", () => choice.form.submit());
}

open(new Review(start.review));
prefetch.fill(review.uuid).catch(() => undefined);
root.dataset.ready = "";
