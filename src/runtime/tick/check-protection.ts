/**
 * Looks once an hour whether the branch that policies come from is protected. Automation that changes anything
 * depends on it (store/protection.ts), so people are told when it is no longer so.
 */

import { HOUR_MS, MINUTE_MS } from "../../base/duration.js";
import type { GitHost } from "../../review/port.js";
import { judgeProtection } from "../../review/protection.js";
import type { Database } from "../../store/database.js";
import { readProtection, type SeenProtection, saveProtection } from "../../store/protection.js";
import type { RuntimeNotify, RuntimeWord } from "../runtime-word.js";
import type { Tick } from "../ticker.js";

export interface CheckProtectionDeps {
  readonly db: Database;
  readonly host: Pick<GitHost, "head" | "protection">;
  /** `owner/name`. */
  readonly repo: string;
  readonly notify: RuntimeNotify;
}

/** A failed look is tried again after this, a good one stands for an hour: also over a change of the leader. */
const EVERY_MS = 5 * MINUTE_MS;

export function checkProtectionTick({ db, host, repo, notify }: CheckProtectionDeps): Tick {
  return {
    name: "check-protection",
    everyMs: EVERY_MS,
    run: async (now, signal) => {
      const last = await readProtection(db, repo);
      if (last !== null && now.getTime() - last.checkedAt.getTime() < HOUR_MS) return;
      const { branch } = await host.head(signal);
      const verdict = judgeProtection(branch, await host.protection(branch, signal));
      await db.transaction(async (tx) => {
        const before = await saveProtection(tx, repo, verdict, now);
        const word = wordOfChange(repo, before, { ...verdict, checkedAt: now });
        if (word !== null) await notify(tx, word);
      });
    },
  };
}

/** Only what has changed is told; the first look is told when it is bad. */
function wordOfChange(
  repo: string,
  before: SeenProtection | null,
  seen: SeenProtection,
): RuntimeWord | null {
  const wasOn = before === null || before.verdict === "on";
  const isOn = seen.verdict === "on";
  if (wasOn === isOn) return null;
  return {
    audience: "operator",
    severity: "sev2",
    action: isOn ? "resolve" : "trigger",
    key: "protection",
    place: repo,
    message: {
      tone: isOn ? "good" : "warning",
      title: isOn
        ? `${repo} is protected: automatic runbooks start again`
        : `${repo} is not protected: automatic runbooks that change anything do not start`,
      fields: [
        { label: "Branch", value: seen.branch },
        { label: "What is missing", value: seen.missing.join("; ") || "nothing" },
      ],
    },
    details: { repo, branch: seen.branch, verdict: seen.verdict, missing: [...seen.missing] },
  };
}
