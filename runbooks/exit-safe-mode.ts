/** The way out of safe mode: after checks of the data, by a person with a reason, and watched (RB-50, HB-heal-06, X-13). */
import { MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { DurationText, defineRunbook, PUBLIC_KINDS, Type } from "../src/runbook/define.js";

const WATCH_MAX_MS = 5 * MINUTE_MS;
/** For the first job to be taken after the watch. */
const PATIENCE_MS = 30_000;

export default defineRunbook({
  name: "exit-safe-mode",
  aliases: ["safe-mode-exit"],
  title: "Leaves safe mode when the data is whole, and watches that it stays off",
  danger: "V",
  params: Type.Object(
    {
      reason: Type.String({
        minLength: 3,
        maxLength: 500,
        description: "what makes you sure, in 3 to 500 characters",
      }),
      watch: Type.Unsafe<string>({ ...DurationText, default: "1m" }),
    },
    { additionalProperties: false },
  ),
  positional: ["reason"],
  locks: () => ["safe-mode"],
  timeoutMs: 8 * MINUTE_MS,
  touches: { database: ["jobs:read", "tables:read", "safe-mode:exit"] },
  guide:
    "Once the cause of the critical failure is gone. While a check of the data fails it refuses; only an administrator can overrule that, over the API (`POST /api/v1/safe-mode/exit` with `force`). Look at the queues afterwards: what waited starts at once.",
  plan: async ({ params, runtime, system }) => {
    const watchMs = parseDuration(params.watch) ?? 0;
    if (watchMs > WATCH_MAX_MS)
      throw fault.refused(
        "WATCH_OUT_OF_RANGE",
        `watch: found ${params.watch}, expected 5m at most`,
      );
    const { active, reason } = await runtime.safeMode();
    if (!active)
      throw fault.refused("SAFE_MODE_OFF", "safe mode is off: there is nothing to leave");
    const broken = await system.brokenInvariants();
    if (broken.length > 0)
      throw fault.refused(
        "SAFE_MODE_CHECKS_FAILED",
        `the data is not whole: ${broken.map(({ invariant, count }) => `${invariant} (${count} rows)`).join(", ")}`,
        { hint: "repair it; only an administrator can overrule this, over the API with force" },
      );
    const waiting = (await runtime.queues()).reduce((sum, { pending }) => sum + pending, 0);
    return {
      text: `safe mode is on (${reason ?? "no reason was kept"}); every check of the data holds; ${waiting} jobs wait`,
      changes: [`leave safe mode, and watch for ${params.watch} that it stays off`],
      facts: { entered: reason },
    };
  },
  steps: [
    {
      name: "leave",
      repeat: {
        check: async ({ runtime }) => ((await runtime.safeMode()).active ? "not-done" : "done"),
      },
      run: async ({ params, system, runId }) => {
        await system.exitSafeMode({ reason: `${params.reason} (${runId})` });
        return "safe mode is off";
      },
      undo: {
        name: "enter safe mode again",
        repeat: "safe",
        run: async ({ system, runId, plan }) => {
          const was = plan.facts?.entered;
          const because = typeof was === "string" ? `: ${was}` : "";
          await system.enterSafeMode({ reason: `undo of ${runId}${because}` });
          return "safe mode is on again";
        },
      },
    },
    {
      name: "note the time",
      repeat: "safe",
      run: async ({ now }) => {
        const since = now().toISOString();
        return { text: `watched from ${since}`, value: { since } };
      },
      undo: { never: "it changed nothing" },
    },
  ],
  verify: {
    withinMs: ({ watch }) => (parseDuration(watch) ?? 0) + PATIENCE_MS,
    everyMs: 1_000,
    check: async ({ params, runtime, now, resultOf }) => {
      const { active, reason } = await runtime.safeMode();
      if (active)
        return {
          state: "failed",
          text: `safe mode is on again: ${reason ?? "no reason was kept"}`,
        };
      const since = new Date((resultOf("note the time") as { since: string }).since);
      const left = (parseDuration(params.watch) ?? 0) - (now().getTime() - since.getTime());
      if (left > 0)
        return { state: "waiting", text: `off; watched for ${Math.ceil(left / 1_000)} s more` };
      const started = await Promise.all(
        PUBLIC_KINDS.map((kind) => runtime.startedSince(kind, since)),
      );
      const begun = started.reduce((sum, count) => sum + count, 0);
      const waiting = (await runtime.queues()).reduce((sum, { pending }) => sum + pending, 0);
      // A pause of its own may keep what waits from starting.
      const isPaused = (await runtime.pauses()).length > 0;
      if (begun === 0 && waiting > 0 && !isPaused)
        return { state: "waiting", text: `off, and ${waiting} jobs wait that nobody takes` };
      return {
        state: "passed",
        text: `safe mode stayed off for ${params.watch}: ${begun} jobs began, ${waiting} wait`,
      };
    },
  },
  next: () => "/algobrain preflight-check",
});
