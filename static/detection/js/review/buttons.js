// Buttons and filters of the review page.

import { applyChanges } from "../common/apply.js";

/** Presses of buttons run the actions of their names, unless the page is being left. */
export function listenToButtons(root, stage, actions, isLeaving) {
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => (isLeaving() ? undefined : actions[button.dataset.do]()));
  }
  // Whoever goes on by keyboard after a click of the mouse means the page, not that button again.
  root.addEventListener("click", (event) => {
    if (event.detail > 0 && event.target.closest("button")) {
      stage.focus({ preventScroll: true });
    }
  });
  applyChanges(document.querySelector("[data-filters]"), (control) => control.matches("[data-filter]"));
  // A button that has the focus is pressed by each repeat of a key that is held.
  document.addEventListener("keydown", (event) => {
    if (event.repeat && ["Enter", " "].includes(event.key) && event.target.closest("button")) {
      event.preventDefault();
    }
  }, true);
}
