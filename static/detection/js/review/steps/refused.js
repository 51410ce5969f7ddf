// What is left of steps that the server refused.

/** Returns the statements of a refused step and of those that were dropped with it. */
export const statementsOf = (body, dropped) => [body, ...dropped.map((step) => step.body)].flatMap((one) => one.verdicts ?? []);

/** Returns those of refused statements that can be said once more of what is there now, the newest one of each object. */
export function sayableOf(statements, review) {
  const known = new Set([...review.shown, ...review.shownWeaker].map((object) => object.object));
  const newest = new Map(statements.map((one, place) => [one.object ?? `added ${place}`, one]));
  return [...newest.values()].filter((one) => one.object === undefined || known.has(one.object));
}
