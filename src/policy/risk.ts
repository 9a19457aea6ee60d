/** Which of several risks counts. What each of them means stands in change.ts; what a change means, in judge/. */
import { type Change, RISKS, type Risk } from "./change.js";

/** The risk that a reviewer must look at first; null when nothing changed. */
export function worstRisk(changes: readonly Change[]): Risk | null {
  return RISKS.find((risk) => changes.some((change) => change.risk === risk)) ?? null;
}

/** Worst first; those of equal risk keep their order. */
export function byRisk(changes: readonly Change[]): Change[] {
  return [...changes].sort((a, b) => RISKS.indexOf(a.risk) - RISKS.indexOf(b.risk));
}
