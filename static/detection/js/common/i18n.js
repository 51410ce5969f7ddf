// The texts of the scripts in the language of the page. Where it is not English, `/texts.js` has run before and brings
// `window.django` (Django's JavaScriptCatalog); in English, a text is its own translation.

const catalogue = window.django ?? null;
const CONTEXT_END = "\u0004";
const SENTENCE = `sentence${CONTEXT_END}`;
const language = document.documentElement.lang;
// The person's own variety of the language of the page: 24/11/2026 or 11/24/2026.
export const locales = [...window.navigator.languages.filter((name) => name.split("-")[0] === language), language];

export function gettext(text) {
  return catalogue?.gettext(text) ?? text;
}

export function ngettext(one, many, count) {
  return catalogue?.ngettext(one, many, count) ?? (count === 1 ? one : many);
}

/** Puts values into a text: "%(count)s photos". */
export function interpolate(text, values) {
  return text.replaceAll(/%\((\w+)\)s/g, (_place, name) => values[name]);
}

/** A number as people write it in that language. */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(locales, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

/** Returns the title of a model's class. */
export function classTitle(name) {
  return catalogue?.pgettext("object class", name) ?? name;
}

/** Classes with their counts, [[name, count], ...], as one line. */
export function countsText(counts) {
  const parts = counts.map(([name, count]) => (count === 1 ? classTitle(name) : `${count} × ${classTitle(name)}`));
  return parts.join(", ") || gettext("No objects");
}

/** The sentences of errors that the server's answers may have: [pattern, translation]. */
function knownSentences() {
  return Object.entries(catalogue?.catalog ?? {})
    .filter(([key]) => key.startsWith(SENTENCE))
    .map(([key, translated]) => {
      const escaped = key.slice(SENTENCE.length).replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
      return [new RegExp(`^${escaped.replaceAll(/%\\\((\w+)\\\)s/g, "(?<$1>.+?)")}$`), translated];
    });
}

let sentences = null;

/** Translates a message of the API, which is English, to the language of the page; unknown ones stay unchanged. */
export function inLanguage(sentence) {
  sentences ??= knownSentences();
  for (const [pattern, translated] of sentences) {
    const found = pattern.exec(sentence);
    if (found !== null) {
      return interpolate(translated, found.groups ?? {});
    }
  }
  return sentence;
}
