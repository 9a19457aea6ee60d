/** The certificates of a bundle that are in force at `now`, as PEM. Throws when it is not whole. */
export function authoritiesIn(text: string, now: Date): string[];
