/**
 * Import it before all others. A Chromium without a locale says `en-US@posix`, which is no language tag, and a library
 * that formats numbers in that language throws while it is loaded: then there would be no page.
 */
try {
  Intl.getCanonicalLocales(navigator.language);
} catch {
  Object.defineProperty(navigator, "language", { value: "en-US" });
}
