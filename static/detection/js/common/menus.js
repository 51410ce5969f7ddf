// Menus that lie over the page (`<details data-menu>`): Escape closes one and gives the focus back to its button; a press
// outside and a focus outside close it too, so that it covers nothing that is used meanwhile.

/** Closes the menu that an element is in, if any; the focus goes back to its button. */
export function closeMenuOf(element) {
  const menu = element.closest("[data-menu][open]");
  if (menu !== null) {
    menu.querySelector("summary").focus();
    menu.open = false;
  }
}

function closeOthers({ target }) {
  for (const menu of document.querySelectorAll("[data-menu][open]")) {
    if (!menu.contains(target)) {
      menu.open = false;
    }
  }
}

function onKey(event) {
  if (event.key !== "Escape") {
    return;
  }
  const menu = event.target.closest("[data-menu][open]") ?? document.querySelector("[data-menu][open]");
  if (menu !== null) {
    event.preventDefault();
    event.stopPropagation();
    closeMenuOf(menu);
  }
}

/** Closes the menus of a page; before other keys of the page are looked at. */
export function listenToMenus() {
  document.addEventListener("keydown", onKey, true);
  document.addEventListener("focusin", closeOthers);
  document.addEventListener("pointerdown", closeOthers);
}
