/** `runbook trust`: how far automation may go with a runbook, and the word of a person who has looked. */
import { readPublished } from "../main/policy.js";
import { loadRunbooks } from "../main/runbooks.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import { pinOf } from "../runbook/run.js";
import type { Database } from "../store/database.js";
import { resetTrust } from "../store/promotions.js";
import { type TrustView, viewTrust } from "../store/trust-list.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { EXIT_OK, type Verb } from "./command.js";
import { withDatabase } from "./settings.js";
import { formatTable } from "./table.js";

export const trustVerb: Verb = {
  usage: 'runbook trust [NAME] [--reset --reason "…"] [--json]',
  does: "how far automation may go with one, and what it still has to earn",
  run: async (args, io) => {
    const { values, operands } = parseCommandLine(
      args,
      { json: { type: "boolean" }, reset: { type: "boolean" }, reason: { type: "string" } },
      ["[NAME]"],
    );
    const registry = await loadRunbooks();
    const [name] = operands;
    const named = name === undefined ? null : registry.find(name);
    if (named === undefined)
      throw new UsageError(
        `unknown runbook "${name?.slice(0, 60)}" (${registry.hintFor(name ?? "") ?? "see: algobrain runbook list"})`,
      );
    const { reason, reset } = values;
    if (reset && (!named || !reason)) throw new UsageError("--reset needs NAME and --reason");
    return withDatabase(io, async (db) => {
      const { set: policy } = await readPublished(db);
      if (named && reset && reason) await giveBack(db, named, { by: io.actor, reason });
      const views: TrustView[] = [];
      for (const entry of named ? [named] : registry.list())
        views.push(await viewTrust(db, entry, policy));
      if (values.json) io.out(JSON.stringify({ promotions: views }));
      else for (const line of named ? describe(views[0]!) : tableOf(views)) io.out(line);
      return EXIT_OK;
    });
  },
};

function giveBack(
  db: Database,
  { runbook, contentHash }: RegisteredRunbook,
  word: { readonly by: string; readonly reason: string },
): Promise<void> {
  const reset = { ...word, runbook: runbook.name, pin: pinOf(contentHash) };
  return db.transaction((tx) => resetTrust(tx, reset));
}

const LEVELS: Readonly<Record<TrustView["level"], string>> = {
  manual: "a person starts it",
  approve: "automation starts it when people agree",
  auto: "automation starts it alone",
};

/** `auto: 12 verified runs on 4 days, 3 drills`. */
export function describe(view: TrustView): string[] {
  const { runbook, level, reason, missing, breaker, automations } = view;
  return [
    `${runbook}: ${LEVELS[level]}`,
    `${level}: ${reason}`,
    ...(missing === null ? [] : [missing]),
    ...(automations.length === 0
      ? ["no automation names it"]
      : [`named by ${automations.join(", ")}`]),
    ...(breaker === null
      ? []
      : [
          `stopped ${breaker}`,
          `look why, then: algobrain runbook trust ${runbook} --reset --reason "…"`,
        ]),
  ];
}

function tableOf(views: readonly TrustView[]): string[] {
  return formatTable(
    ["runbook", "trusted", "rests on", "stopped"],
    views.map(({ runbook, level, reason, breaker }) => [runbook, level, reason, breaker ?? ""]),
  );
}
