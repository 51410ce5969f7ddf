// The gallery: an endless list of the photos that match, its address, and its keys.

import { paint } from "../boxes/colours.js";
import { gettext, interpolate, ngettext, number } from "../common/i18n.js";
import { listenToMenus } from "../common/menus.js";
import { addKeys } from "../common/shortcuts.js";
import { Actions } from "./actions.js";
import { Grid } from "./grid.js";
import { Pointer } from "./pointer.js";
import { Search } from "./search.js";
import { Selection } from "./selection.js";

const NO_UUID = "00000000-0000-0000-0000-000000000000";
const SETTLED_MS = 150;

const page = document.querySelector("[data-gallery]");
const list = page.querySelector("[data-photos]");
const problem = page.querySelector("[data-error]");
const counted = page.querySelector("[data-count]");
const empty = page.querySelector("[data-empty]");
let text = "";
// The filters that the address and the text stand for together.
let { found } = page.dataset;
let total = 0;
let asked = 0;

/** The filters of the address, with what is typed: a query string. */
function query() {
  const filters = new URLSearchParams(page.dataset.query);
  if (text !== "") {
    filters.set("q", text);
    filters.set("zone", new Intl.DateTimeFormat().resolvedOptions().timeZone);
  }
  return filters;
}

async function load(cursor, more = {}) {
  const filters = query();
  for (const [name, value] of Object.entries({ ...(cursor === null ? {} : { cursor }), ...more })) {
    filters.set(name, value);
  }
  const response = await fetch(`${page.dataset.photosUrl}?${filters}`, { headers: { Accept: "application/json" } });
  const answer = await response.json();
  if (!response.ok) {
    throw new Error(answer.error);
  }
  return { ...answer, of: cursor };
}

const urls = {
  thumbnail: (id) => page.dataset.thumbnailUrl.replace(NO_UUID, id),
  detection: (id) => page.dataset.detectionUrl.replace(NO_UUID, id) + (found === "" ? "" : `?${found}`),
};

const selection = new Selection();
const grid = new Grid(list, { older: null, newer: null, load }, urls, decorate);
const pointer = new Pointer(list, grid, selection);
let current = null;

/** Shows on an element what is selected, and what the keys are at. */
function decorate(tile, photo) {
  const isSelected = selection.has(photo.id);
  tile.classList.toggle("selected", isSelected);
  tile.querySelector(".tile-check").checked = isSelected;
  const isCurrent = photo === (current ?? grid.photos[0]);
  tile.querySelector(".tile-link").tabIndex = isCurrent ? 0 : -1;
  tile.querySelector(".tile-check").tabIndex = isCurrent ? 0 : -1;
}

function decorateAll() {
  const byId = new Map(grid.photos.map((photo) => [photo.id, photo]));
  for (const tile of grid.tiles()) {
    decorate(tile, byId.get(tile.dataset.photo));
  }
  list.classList.toggle("selecting", !selection.isEmpty);
}

/** Shows it on the element of one photo, if there is one. */
function decorateAgain(photo) {
  const tile = photo === undefined ? null : list.querySelector(`[data-photo="${photo.id}"]`);
  if (tile !== null) {
    decorate(tile, photo);
  }
}

function showCount() {
  const most = Number(counted.dataset.most);
  const values = { count: number(Math.min(total, most)) };
  counted.textContent =
    total > most
      ? interpolate(gettext("More than %(count)s photos"), values)
      : interpolate(ngettext("%(count)s photo", "%(count)s photos", total), values);
}

/** Shows the photos of what was typed, without leaving the page; its address says it, too. */
async function onText(typed) {
  const turn = ++asked;
  text = typed;
  try {
    const answer = await load(null, { counted: "1" });
    if (turn !== asked) {
      return;
    }
    problem.hidden = true;
    selection.clear();
    current = null;
    total = answer.total;
    found = answer.query;
    grid.show(answer);
    window.scrollTo({ top: 0, behavior: "instant" });
    showCount();
    empty.hidden = answer.photos.length > 0;
    remember(null);
  } catch (error) {
    if (turn === asked) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
  }
}

/** Writes the address of what is shown, from a photo on; a reload and the way back lead there. */
function remember(photo) {
  const filters = query();
  if (text === "") {
    filters.delete("zone");
    for (const [name, value] of new URLSearchParams(page.dataset.query)) {
      if (name === "zone") {
        filters.set(name, value);
      }
    }
  }
  if (photo !== null) {
    filters.set("cursor", photo.place);
  }
  const search = filters.toString();
  window.history.replaceState(window.history.state, "", window.location.pathname + (search === "" ? "" : `?${search}`));
}

/** Takes what is selected out of the list, before the server has answered. */
function takeAway() {
  const gone = grid.photos.filter(({ id }) => selection.has(id));
  const hadFocus = gone.includes(focused());
  const next = grid.photos.slice(grid.photos.indexOf(current ?? gone[0])).find((photo) => !gone.includes(photo));
  total = selection.isAll ? 0 : Math.max(0, total - gone.length);
  current = next ?? null;
  grid.remove(new Set(gone.map(({ id }) => id)));
  if (hadFocus) {
    goTo(next ?? grid.photos.at(-1));
  }
  showCount();
  empty.hidden = grid.photos.length > 0;
}

let settled = 0;

function onScroll() {
  window.clearTimeout(settled);
  settled = window.setTimeout(() => {
    const isAtStart = grid.source.newer === null && list.getBoundingClientRect().top >= 0;
    // Where the grid itself has scrolled to is the place that the address has: the way back must not creep up by it.
    if (window.scrollY !== grid.placedAt) {
      remember(isAtStart ? null : grid.firstSeen(0));
    }
    // Tab leads to a photo that is seen.
    if (focused() === undefined) {
      const before = current ?? grid.photos[0];
      current = grid.firstSeen(0);
      decorateAgain(before);
      decorateAgain(current ?? grid.photos[0]);
    }
  }, SETTLED_MS);
}

/** Moves the focus to a photo. */
function goTo(photo) {
  const tile = grid.tile(photo);
  if (tile === null) {
    return;
  }
  current = photo;
  decorateAll();
  tile.querySelector(".tile-link").focus({ preventScroll: true });
  tile.scrollIntoView({ block: "nearest", behavior: "instant" });
}

/** The photo that has the focus, or none. */
function focused() {
  const tile = document.activeElement?.closest("[data-photo]");
  return tile === null || tile === undefined ? undefined : grid.photos.find(({ id }) => id === tile.dataset.photo);
}

/** Returns what a key does to the photo that has the focus; "not now" without one. */
function onPhoto(run) {
  return (event) => {
    const photo = focused();
    return photo === undefined ? false : run(photo, event);
  };
}

function moves(step) {
  return onPhoto((photo, event) => {
    const next = grid.neighbour(photo, step);
    goTo(next);
    if (event.shiftKey) {
      if (selection.anchor === null) {
        selection.set([photo.id], true, photo.id);
      }
      pointer.extendTo(next);
    }
  });
}

function start() {
  // The address says where in the list one was.
  window.history.scrollRestoration = "manual";
  const data = JSON.parse(document.querySelector("#gallery-data").textContent);
  text = new URLSearchParams(window.location.search).get("q") ?? "";
  total = Number(page.dataset.total);
  for (const chip of page.querySelectorAll("[data-class]")) {
    const dot = document.createElement("span");
    dot.className = "class-dot";
    paint(dot, chip.dataset.class);
    chip.prepend(dot);
  }
  if (data.photos.length > 0) {
    grid.show(data);
    page.querySelector("[data-paging]").hidden = true;
  }
  selection.addEventListener("change", decorateAll);
  const actions = new Actions({
    selection,
    body: () => selection.body(found),
    total: () => total,
    isMore: () => total > Number(counted.dataset.most),
    onGone: takeAway,
    onBack: () => onText(text),
    onLeft: () => goTo(grid.photos.includes(current) ? current : (grid.firstSeen(0) ?? undefined)),
  });
  selection.restore(found);
  selection.addEventListener("change", () => selection.keep(found));
  const search = new Search(onText);
  listenToMenus();
  page.querySelector("[data-select-matching]").addEventListener("click", () => selection.selectAll());
  window.addEventListener("scroll", onScroll, { passive: true });
  list.addEventListener("focusin", () => {
    current = focused() ?? current;
    decorateAll();
  });
  addKeys([
    { keys: ["/"], shown: ["/"], text: gettext("Search"), run: () => search.focus() },
    { keys: ["ArrowRight"], shown: ["→"], text: gettext("Next photo; with Shift, select up to it"), run: moves({ steps: 1 }) },
    { keys: ["ArrowLeft"], shown: ["←"], text: gettext("Photo before; with Shift, select up to it"), run: moves({ steps: -1 }) },
    { keys: ["ArrowDown"], shown: ["↓"], text: gettext("Row below"), run: moves({ rows: 1 }) },
    { keys: ["ArrowUp"], shown: ["↑"], text: gettext("Row above"), run: moves({ rows: -1 }) },
    { keys: ["x"], shown: ["x"], text: gettext("Select the photo, or not"), run: onPhoto((photo) => selection.toggle(photo.id)) },
    { keys: ["a"], shown: ["a"], text: gettext("Select all photos that match"), run: () => selection.selectAll() },
    { keys: ["Delete"], shown: ["Del"], text: gettext("Delete the selected photos"), run: () => (selection.isEmpty ? false : actions.act("delete")) },
    { keys: ["Escape"], shown: ["Esc"], text: gettext("Select nothing"), run: () => (selection.isEmpty ? false : selection.clear()) },
  ]);
}

start();
