/** What is believed of the bundle of authorities that an image takes along; Node's own stand in for Amazon's. */
import { rootCertificates } from "node:tls";
import { expect, test } from "vitest";
import { authoritiesIn } from "../../infra/docker/authorities.mjs";

const NOW = new Date("2026-01-01T00:00:00Z");
const BUNDLE = rootCertificates.join("\n");

test("all that are in force are taken, whatever stands between them", () => {
  const found = authoritiesIn(`# a comment\n${BUNDLE}\n`, NOW);
  expect(found.length).toBeGreaterThan(100);
  expect(BUNDLE).toContain(found[0]);
});

test("those that have expired are left out, and a bundle of nothing else is refused", () => {
  const later = authoritiesIn(BUNDLE, new Date("2030-01-01T00:00:00Z"));
  expect(later.length).toBeLessThan(authoritiesIn(BUNDLE, NOW).length);
  expect(() => authoritiesIn(BUNDLE, new Date("2100-01-01T00:00:00Z"))).toThrow(/found 0/);
});

test.each([
  ["a page of an error", "<html>403</html>", /found 0 authorities in force/],
  ["half a file", BUNDLE.slice(0, 20_000), /found \d+ authorities in force, expected 30 at least/],
  ["a broken one among them", BUNDLE.replace("MII", "AAA"), /certificate 1 cannot be read/],
])("%s is refused", (_, text, expected) => {
  expect(() => authoritiesIn(text, NOW)).toThrow(expected);
});
