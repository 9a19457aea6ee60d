/** How often a cron line starts something, near enough to say "more often". */

/** Lowest and highest number of minute, hour, day, month and weekday. */
const FIELDS: readonly (readonly [number, number])[] = [
  [0, 59],
  [0, 23],
  [1, 31],
  [1, 12],
  [0, 6],
];

/** Null for what is not written in plain numbers. */
export function startsPerDay(cron: string): number | null {
  const counts = cron.trim().split(/\s+/).map(countOf);
  if (counts.length !== FIELDS.length || counts.includes(null)) return null;
  const [minutes, hours, ofMonth, months, ofWeek] = counts as [
    number,
    number,
    number,
    number,
    number,
  ];
  // With both given, a day of either kind is enough.
  const [monthShare, weekShare] = [ofMonth / 31, ofWeek / 7];
  const dayShare =
    monthShare === 1 || weekShare === 1
      ? Math.min(monthShare, weekShare)
      : Math.max(monthShare, weekShare);
  return minutes * hours * dayShare * (months / 12);
}

function countOf(field: string, at: number): number | null {
  const [low, high] = FIELDS[at] ?? [0, 0];
  const values = new Set<number>();
  for (const part of field.split(",")) {
    const match = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/.exec(part);
    if (!match) return null;
    const [, from, to, step] = match;
    const first = from === undefined ? low : Number(from);
    const last =
      from === undefined || (step !== undefined && to === undefined) ? high : Number(to ?? from);
    for (let value = first; value <= last; value += Math.max(1, Number(step ?? 1)))
      values.add(at === 4 && value === 7 ? 0 : value);
  }
  return values.size;
}
