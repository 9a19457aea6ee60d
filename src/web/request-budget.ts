/** Acts on many rows end between two batches, well before the deadline of their request, and say what is left. */
import type { Clock } from "../base/clock.js";

/** Less than the handler's deadline in server.ts, by more than one batch takes. */
const BUDGET_MS = 20_000;

/** True from then on. */
export function budgetOf(clock: Clock): () => boolean {
  const endMs = clock.now().getTime() + BUDGET_MS;
  return () => clock.now().getTime() >= endMs;
}
