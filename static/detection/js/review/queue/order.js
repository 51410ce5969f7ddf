// The order in which the objects of a photo are gone through: that of the queue, within a photo.

/**
 * Returns the objects in the order of the queue {order, class}: those that it asks for first, then those of its class;
 * least sure first begins at the least sure object, drawn ones come last; the newest photos are gone through from the
 * most probable object on.
 */
export function inOrder(objects, queue, asked = []) {
  const isAsked = (object) => asked.includes(object.object);
  const isOfClass = (object) => queue.class !== "" && [object.objectClass, object.model?.objectClass].includes(queue.class);
  const doubt = (object) => (queue.order === "lowest" ? (object.model?.probability ?? Infinity) : 0);
  return objects
    .map((object, place) => ({ object, place }))
    .sort((one, other) =>
      isAsked(other.object) - isAsked(one.object) ||
      isOfClass(other.object) - isOfClass(one.object) ||
      (doubt(one.object) === doubt(other.object) ? 0 : doubt(one.object) - doubt(other.object)) ||
      one.place - other.place,
    )
    .map(({ object }) => object);
}
