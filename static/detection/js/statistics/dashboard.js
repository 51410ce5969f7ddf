// Parts of the plots lead to what they count, for the mouse; the tables below them have the same as links.

document.addEventListener("click", (event) => {
  const part = event.target.closest("[data-href]");
  if (part) {
    window.location.assign(part.dataset.href);
  }
});
