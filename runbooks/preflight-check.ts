/** What is wrong with this installation, and the remedy of each (RB-01, X-36). */
import { fault } from "../src/base/fault.js";
import { defineRunbook, Type } from "../src/runbook/define.js";

/** Each look has ten seconds, and they are taken side by side. */
const TIMEOUT_MS = 30_000;

interface Failure {
  readonly what: string;
  readonly found: string;
  readonly remedy: string | null;
}

export default defineRunbook({
  name: "preflight-check",
  aliases: ["preflight"],
  title: "Looks at programs, database, policies and every system we call, and says what to do",
  danger: "R",
  params: Type.Object(
    {
      only: Type.Optional(
        Type.String({
          minLength: 1,
          maxLength: 60,
          description: "what to look at, e.g. database or slack; default: everything",
        }),
      ),
    },
    { additionalProperties: false },
  ),
  positional: ["only"],
  timeoutMs: TIMEOUT_MS,
  touches: { database: ["tables:read"] },
  guide:
    "Before a deployment, after a change of a key or an address, and first of all when something is wrong and nobody knows what. Systems outside are asked past their breakers, and nothing is left there. Scopes of keys are named, keys never.",
  plan: async ({ params }) => ({
    text: `looks at ${params.only ?? "programs, database, policies, clocks, disk and every system that is configured"}`,
    changes: [],
  }),
  steps: [
    {
      name: "look",
      repeat: "safe",
      run: async ({ params, system, signal }) => {
        const all = await system.diagnose(signal);
        const seen = all.filter(({ what }) => params.only === undefined || what === params.only);
        if (seen.length === 0)
          throw fault.refused(
            "EXAMINATION_UNKNOWN",
            `found "${params.only}", expected one of ${all.map(({ what }) => what).join(", ")}`,
          );
        const failed: Failure[] = seen
          .filter(({ status }) => status === "fail")
          .map(({ what, found, remedy }) => ({ what, found, remedy }));
        const doubtful = seen.filter(({ status }) => status === "warn").length;
        return {
          text: `${seen.length} looks: ${failed.length} failed, ${doubtful} are doubtful`,
          table: {
            columns: ["what", "is", "found", "what to do"],
            rows: seen.map(({ what, status, found, remedy }) => [
              what,
              status,
              found,
              remedy ?? "",
            ]),
          },
          value: failed.map(({ what, found, remedy }) => ({ what, found, remedy })),
        };
      },
    },
  ],
  verify: {
    withinMs: () => 0,
    everyMs: 1_000,
    check: async ({ resultOf }) => {
      const failed = resultOf("look") as unknown as readonly Failure[];
      const [first] = failed;
      if (!first) return { state: "passed", text: "nothing is wrong that a look can show" };
      const more = failed.length > 1 ? `, and ${failed.length - 1} more` : "";
      const remedy = first.remedy === null ? "" : `: ${first.remedy}`;
      return { state: "failed", text: `${first.what}: ${first.found}${remedy}${more}` };
    },
  },
});
