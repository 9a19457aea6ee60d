import { expect, test } from "vitest";
import { makeRegistry, makeRunbook } from "../support/runbook-world.js";

test.each(["help", "approve", "stop", "run-17"])(
  "no runbook is called %s: doors hear it as their own word",
  (word) => {
    expect(() => makeRegistry(makeRunbook(word))).toThrow(`"${word}" is a word of the doors`);
  },
);

test("one word names one runbook", () => {
  expect(() => makeRegistry(makeRunbook("fix-it"), makeRunbook("fix-it"))).toThrow("two runbooks");
});

test("an unknown word brings the nearest that is known", () => {
  expect(makeRegistry(makeRunbook("fix-it")).hintFor("fixit")).toContain("fix-it");
});
