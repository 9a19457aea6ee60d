/**
 * What a new policy would do to people and data, seen before it does. Everything is judged by the policy that is in
 * force: a candidate cannot loosen the limits that hold it back. A person who knows better releases it with a reason.
 */
import type { Held } from "./harm/held.js";
import { findPageHarm } from "./harm/pages.js";
import { findRightsHarm } from "./harm/rights.js";
import { findScheduleHarm } from "./harm/schedules.js";
import { findStormHarm } from "./harm/storms.js";
import { findWorkHarm } from "./harm/work.js";
import type { PolicySet } from "./policy.js";

/**
 * What two sets alone can tell; what fires and what is deleted, the database tells (`findRowHarm`, `findSilenceHarm`,
 * alert/shadow).
 */
export function findHarm(before: PolicySet, after: PolicySet): Held[] {
  return [
    ...findPageHarm(before, after),
    ...findStormHarm(before, after),
    ...findRightsHarm(before, after),
    ...findWorkHarm(before, after),
    ...findScheduleHarm(before, after),
  ];
}

/**
 * @param eligible by entity, rows that may be deleted under the old and under the new retention
 * @param previewed by entity, rows that the review said would go; none named: none
 * @param margin share of the previewed rows that may have grown since, 0.1 is a tenth
 */
export function findRowHarm(
  eligible: Readonly<Record<string, { readonly before: number; readonly after: number }>>,
  previewed: Readonly<Record<string, number>>,
  margin: number,
): Held[] {
  return Object.entries(eligible).flatMap(([entity, { before, after }]): Held[] => {
    const more = after - before;
    const said = previewed[entity] ?? 0;
    if (more <= said * (1 + margin)) return [];
    const sentence = `${more} more rows would be deleted by the next gc, the review previewed ${said}`;
    return [{ reason: "deletes-more-than-previewed", subject: `retention of ${entity}`, sentence }];
  });
}
