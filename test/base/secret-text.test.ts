import { inspect } from "node:util";
import { expect, it } from "vitest";
import { SecretText } from "../../src/base/secret-text.js";

const secret = new SecretText("hunter2-hunter2");

it.each([
  ["a template", () => `${secret}`],
  ["JSON", () => JSON.stringify({ secret })],
  ["an inspection", () => inspect({ secret }, { depth: 9, showHidden: true })],
  ["its members", () => Object.entries(secret).join() + Object.getOwnPropertyNames(secret).join()],
  ["an error", () => String(new Error("no", { cause: secret }).cause)],
  ["a clone", () => inspect(structuredClone({ ...secret }))],
])("%s does not show it", (_name, show) => {
  expect(show()).not.toContain("hunter2");
});

it("is revealed where it is asked for by name", () => {
  expect(secret.reveal()).toBe("hunter2-hunter2");
});
