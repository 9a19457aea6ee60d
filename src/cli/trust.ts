/** `runbook trust`: how far automation may go with a runbook, and the word of a person who has looked. */
import { readPublished } from "../main/policy.js";
import { loadRunbooks } from "../main/runbooks.js";
import type { PolicySet } from "../policy/policy.js";
import { findPerson } from "../runbook/identity.js";
import type { RegisteredRunbook } from "../runbook/registry.js";
import type { Database } from "../store/database.js";
import { giveTrust } from "../store/give-trust.js";
import { type TrustView, viewTrust } from "../store/trust-list.js";
import { parseCommandLine, UsageError } from "./arguments.js";
import { type CommandIo, EXIT_OK, type Verb } from "./command.js";
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
      if (named && reset && reason) {
        const left = await giveBack(db, named, { io, reason, policy });
        if (left !== null) io.err(`note: ${left}`);
      }
      const views: TrustView[] = [];
      for (const entry of named ? [named] : registry.list())
        views.push(await viewTrust(db, entry, policy));
      if (values.json) io.out(JSON.stringify({ promotions: views }));
      else for (const line of named ? describe(views[0]!) : tableOf(views)) io.out(line);
      return EXIT_OK;
    });
  },
};

interface Word {
  readonly io: CommandIo;
  readonly reason: string;
  readonly policy: PolicySet;
}

/** Why it did not get all of it back; null: it did. */
function giveBack(
  db: Database,
  named: RegisteredRunbook,
  { io, reason, policy }: Word,
): Promise<string | null> {
  const user = io.actor.replace(/^cli:/, "");
  const person = findPerson(policy.access, { door: "cli", user })?.name ?? null;
  return db.transaction((tx) => giveTrust(tx, named, { by: io.actor, person, reason }, policy));
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
