/** The silences that people made, asked in the transaction that speaks: what was judged under them is what was told. */
import { alertLabels, holdsBack } from "../../alert/silence.js";
import type { Sql } from "../../store/database.js";
import { activeSilences, noteMatches } from "../../store/silences.js";
import type { Found } from "./found.js";
import type { Silencer } from "./muting.js";

export async function openSilencer(tx: Sql, { policy, now }: Found): Promise<Silencer> {
  const active = await activeSilences(tx, now);
  const counts = new Map<string, number>();
  return {
    find: (rule, level, { labels }) => {
      const seen = alertLabels(policy.system, rule, level, labels);
      const holding = active.filter((one) => holdsBack(one, seen, level.severity));
      // Each that matches is of use, though one would do.
      for (const { id } of holding) counts.set(id, (counts.get(id) ?? 0) + 1);
      return holding[0]?.id ?? null;
    },
    close: async () => {
      if (active.length > 0) await noteMatches(tx, counts, now);
    },
  };
}
