/**
 * 2,000 rules in 200 files. The bars are of the wall and hold by bench/policy/speed.mjs; here other tests run beside, on
 * a machine of any speed, so five times as much of the processors is the limit: what grows with the square takes more.
 */
import { expect, it } from "vitest";
import { program, ROOT } from "../cli/support.js";

it("policy check and policy diff of 2,000 rules take seconds, whole process", async () => {
  const args = [`${ROOT}/bench/policy/speed.mjs`, "--cpu", "--slack", "5"];
  const { code, out, err } = await program(process.execPath, args, { timeoutMs: 55_000 });
  expect({ code, err }, out).toEqual({ code: 0, err: "" });
  expect(out).toMatch(/^policy check: best \d+ ms .* ok$/m);
  expect(out).toMatch(/^policy diff: best \d+ ms .* ok$/m);
});
