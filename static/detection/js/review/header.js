// What stands above the photo, and which buttons can be pressed.

/** Names the photo, and why it is in its queue: not before what the model found may be seen. */
export function drawTitle(part, review, url, texts) {
  const name = review.answer.photo_name || texts.noName;
  part("photo-link").href = url;
  part("photo-link").textContent = name;
  part("reason").textContent = review.isBlind ? "" : review.place.reason;
}

/** Shows whether the photo is done, and by whom; hasCurrent: whether there is an object to speak of. */
export function drawState(root, part, review, texts, hasCurrent) {
  const done = part("done");
  done.hidden = !review.isReviewed;
  const by = review.answer.reviewed_by;
  done.textContent = by && review.answer.is_reviewed ? texts.reviewedBy.replace("{name}", by) : texts.reviewed;
  root.classList.toggle("is-blind", review.isBlind);
  for (const name of ["confirm", "reject", "relabel", "edit"]) {
    root.querySelector(`[data-do=${name}]`).disabled = !hasCurrent;
  }
  root.querySelector("[data-do=reopen]").disabled = !review.isReviewed || review.isBlind;
}
