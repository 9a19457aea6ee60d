/** Closes the breaker of a dependency that is well again, so that work need not wait for its probes (RB-52, AL-api-06). */
import { formatAge, MINUTE_MS, parseDuration } from "../src/base/duration.js";
import { fault } from "../src/base/fault.js";
import { DurationText, defineRunbook, Type } from "../src/runbook/define.js";

const WATCH_MIN_MS = 1_000;
const WATCH_MAX_MS = 5 * MINUTE_MS;
/** How long undo leaves the dependency alone before probes decide as always. */
const OPEN_AGAIN_MS = MINUTE_MS;

export default defineRunbook({
  name: "reset-circuit-breaker",
  aliases: ["breaker-reset"],
  title: "Closes the breaker of a dependency that answers again, and watches it",
  danger: "V",
  params: Type.Object(
    {
      dependency: Type.String({
        pattern: "^[a-z][a-z0-9/_-]{0,79}$",
        description:
          "as the breaker is called: slack, pagerduty, pagerduty-incidents, github, webhook/NAME",
      }),
      reason: Type.String({
        minLength: 3,
        maxLength: 500,
        description: "why, in 3 to 500 characters",
      }),
      watch: Type.Unsafe<string>({ ...DurationText, default: "1m" }),
    },
    { additionalProperties: false },
  ),
  positional: ["dependency", "reason"],
  locks: ({ dependency }) => [`dependency-${dependency}`],
  timeoutMs: 8 * MINUTE_MS,
  touches: { database: ["tables:read", "breakers:reset"] },
  guide:
    "When you know that the other side is well and the queue should not wait for the probes. It asks the dependency first and refuses while it does not answer. Look at the outbox afterwards: what waited goes out at once.",
  plan: async ({ params, system, signal, now }) => {
    const { dependency, watch } = params;
    const watchMs = parseDuration(watch) ?? 0;
    if (watchMs < WATCH_MIN_MS || watchMs > WATCH_MAX_MS)
      throw fault.refused("WATCH_OUT_OF_RANGE", `watch: found ${watch}, expected 1s to 5m`);
    const all = await system.dependencies();
    const one = all.find(({ name }) => name === dependency);
    if (!one)
      throw fault.refused(
        "DEPENDENCY_UNKNOWN",
        `nothing has called ${dependency} yet; known are ${all.map(({ name }) => name).join(", ") || "none"}`,
      );
    if (one.state === "closed")
      throw fault.refused("BREAKER_CLOSED", `the breaker of ${dependency} is closed already`);
    const probe = await system.probe(dependency, signal);
    if (!probe.ok)
      throw fault.refused("DEPENDENCY_ILL", `${dependency} is not well: ${probe.found}`, {
        hint: "its breaker closes by itself when it answers again",
      });
    const age = formatAge(now().getTime() - one.since.getTime());
    return {
      text: `the breaker of ${dependency} is ${one.state} for ${age} (${one.reason ?? "no reason was kept"}), ${one.failures} calls failed; asked now: ${probe.found}`,
      changes: [`close the breaker of ${dependency}, and watch it for ${watch}`],
    };
  },
  steps: [
    {
      name: "reset",
      repeat: "safe",
      run: async ({ params, system, runId, now }) => {
        const { dependency, reason } = params;
        await system.resetBreaker({ dependency, reason: `${reason} (${runId})` });
        return {
          text: `the breaker of ${dependency} is closed`,
          value: { since: now().toISOString() },
        };
      },
      undo: {
        name: "open it for a minute, then let probes decide",
        repeat: "safe",
        run: async ({ params, system, runId }) => {
          const { dependency } = params;
          const reason = `undo of ${runId}`;
          await system.openBreaker({ dependency, forMs: OPEN_AGAIN_MS, reason });
          return `${dependency} is left alone for a minute, then probes decide`;
        },
      },
    },
    {
      name: "ask once more",
      repeat: "safe",
      run: async ({ params, system, signal }) => {
        const { ok, found } = await system.probe(params.dependency, signal);
        if (ok) return `${params.dependency}: ${found}`;
        throw fault.refused("DEPENDENCY_ILL", `${params.dependency} is not well: ${found}`);
      },
      undo: { never: "it changed nothing" },
    },
  ],
  verify: {
    withinMs: ({ watch }) => (parseDuration(watch) ?? 0) + 10_000,
    everyMs: 1_000,
    check: async ({ params, system, now, resultOf }) => {
      const { dependency, watch } = params;
      const one = (await system.dependencies()).find(({ name }) => name === dependency);
      if (one?.state !== "closed")
        return {
          state: "failed",
          text: `the breaker of ${dependency} is ${one?.state ?? "gone"}: ${one?.reason ?? "no reason was kept"}`,
        };
      const { since } = resultOf("reset") as { since: string };
      const left = (parseDuration(watch) ?? 0) - (now().getTime() - new Date(since).getTime());
      if (left > 0)
        return { state: "waiting", text: `closed; watched for ${Math.ceil(left / 1_000)} s more` };
      return { state: "passed", text: `the breaker of ${dependency} stayed closed for ${watch}` };
    },
  },
  next: ({ dependency }) => `/algobrain preflight-check ${dependency}`,
});
