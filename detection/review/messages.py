"""Messages of the errors of reviews, which pages show in the language of the reader."""

from detection.inference.messages import Message, gettext_noop

IS_EMPTY = Message(
    "review_is_empty",
    gettext_noop("Nothing is said: send `verdicts`, or `reviewed`."),
)
VERDICTS_COLLIDE = Message(
    "review_verdicts_collide",
    gettext_noop("Two verdicts are about the same object. Send one for each."),
)
NO_SUCH_OBJECT = Message(
    "review_no_such_object",
    gettext_noop("There is no object %(object)s in this detection. Ask for its review again."),
)
VERDICT_WITHOUT_OBJECT = Message(
    "review_verdict_without_object",
    gettext_noop("A verdict names no object. Set `object`, or say `added` for one that was missed."),
)
OBJECT_INCOMPLETE = Message(
    "review_object_incomplete",
    gettext_noop("An object that was missed needs its class and its box."),
)
NO_SUCH_VERDICT = Message(
    "review_no_such_verdict",
    gettext_noop("%(verdict)s cannot be said of object %(object)s. Use one of %(available)s."),
)
CLASS_WITHOUT_NAME = Message(
    "review_class_without_name",
    gettext_noop("A class needs a name. Choose one of the list, or type it."),
)
BOX_OUTSIDE = Message(
    "review_box_outside",
    gettext_noop("The box does not lie within the photo, which is %(width)s x %(height)s pixels. Draw it inside."),
)
NOT_BLIND = Message(
    "review_not_blind",
    gettext_noop(
        "Somebody has judged objects of this photo with the model's boxes shown, so it cannot be reviewed blindly any "
        "more. Review it without `blind`."
    ),
)
NOTHING_TO_UNDO = Message(
    "review_nothing_to_undo",
    gettext_noop("There is nothing to undo in the review of this photo."),
)
STEP_OF_OTHER = Message(
    "review_step_of_other",
    gettext_noop("The newest step is one of %(name)s. Say what is right instead."),
)
STEP_OF_SOMEBODY = Message(
    "review_step_of_somebody",
    gettext_noop("The newest step is one of somebody else. Say what is right instead."),
)
BAD_KEY = Message(
    "review_bad_key",
    gettext_noop(
        "The Idempotency-Key cannot be used. Send 1 to %(length)s visible characters of ASCII, a UUID for example."
    ),
)
CHANGED_BY = Message(
    "review_changed_by",
    gettext_noop(
        "%(name)s has changed the review of this photo meanwhile. Yours was not kept: look at what is there now, and "
        "say it again where you do not agree."
    ),
)
CHANGED = Message(
    "review_changed",
    gettext_noop(
        "Somebody has changed the review of this photo meanwhile. Yours was not kept: look at what is there now, and "
        "say it again where you do not agree."
    ),
)
