/** When a backfill may ask for more: below live work, and never for all at once. */

export interface BackfillLoad {
  /** Children that are pending or running. */
  readonly openChildren: number;
  /** How long the oldest due job of the same kind that people or schedules wait for has waited; null: none is due. */
  readonly liveWaitMs: number | null;
}

export interface BackfillPace {
  readonly openMax: number;
  readonly liveOlderThanMs: number;
}

/** In one transaction. */
export const BATCH_CHILDREN = 200;

/** How many children may be asked for now; or why none. */
export function roomFor(
  { openChildren, liveWaitMs }: BackfillLoad,
  { openMax, liveOlderThanMs }: BackfillPace,
): { readonly room: number } | { readonly holds: string } {
  if (liveWaitMs !== null && liveWaitMs > liveOlderThanMs) {
    const waited = `${Math.round(liveWaitMs / 1000)} s`;
    return { holds: `gives way to a live job of the same kind that has waited ${waited}` };
  }
  const room = Math.min(BATCH_CHILDREN, openMax - openChildren);
  return room > 0
    ? { room }
    : { holds: `${openChildren} children are open, and ${openMax} may be` };
}
