// Filters that apply by themselves. A choice by pointer applies at once; one by keyboard, where an arrow already changes the
// value, applies by Enter or when the focus goes on, as nobody could get past the first value otherwise.

const KEPT = "focus-after-filter";

/** Keeps which control has the focus for the page that comes. */
function keepFocus(control) {
  // The menus of the page that comes are closed.
  const { id } = control.closest("[data-menu]")?.querySelector("summary") ?? control;
  try {
    window.sessionStorage.setItem(KEPT, id);
  } catch {
    // Blocked: the next page begins at its top.
  }
}

/** Gives the focus back to the control that had it before the filters were applied. */
function restoreFocus() {
  try {
    const id = window.sessionStorage.getItem(KEPT);
    window.sessionStorage.removeItem(KEPT);
    document.getElementById(id ?? "")?.focus({ preventScroll: true });
  } catch {
    // Blocked: nothing was kept.
  }
}

/** Submits a form when a control changes that `applies(control)`. What belongs to one menu applies when that is left. */
export function applyChanges(form, applies) {
  let isByKey = false;
  let changed = null;
  const submit = (focused) => {
    changed = null;
    keepFocus(focused);
    form.requestSubmit();
  };
  form.addEventListener("pointerdown", () => {
    isByKey = false;
  });
  form.addEventListener("keydown", (event) => {
    isByKey = event.key !== "Tab";
    if (event.key === "Enter" && changed !== null && event.target.matches("select, input:not([type=search])")) {
      event.preventDefault();
      submit(event.target);
    }
  });
  form.addEventListener("change", ({ target }) => {
    if (!applies(target)) {
      return;
    }
    if (isByKey && target.type !== "checkbox") {
      changed = target;
    } else {
      submit(target);
    }
  });
  form.addEventListener("focusout", ({ relatedTarget }) => {
    const group = changed?.closest("[data-menu]") ?? changed;
    // Without another target, the window lost the focus, or a menu of the browser opened.
    if (group !== null && relatedTarget !== null && (!group.contains(relatedTarget) || relatedTarget.matches("summary"))) {
      submit(relatedTarget);
    }
  });
  restoreFocus();
}
