/** A finding about a text that a person wrote: where, what was found, what was expected, what to do. */
export interface Problem {
  /** Path as the person would type it. */
  readonly file: string;
  /** 1-based; 0 means the whole file. */
  readonly line: number;
  readonly column: number;
  /** One sentence without the place: `found "5 mins", expected a duration such as 5m`. */
  readonly message: string;
  /** `did you mean …?` or what to do. */
  readonly hint?: string | undefined;
}

/** `file:line:column: message (hint)`, the form that editors and CI annotate. */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return `${place}: ${problem.message}${problem.hint ? ` (${problem.hint})` : ""}`;
}

export function compareProblems(a: Problem, b: Problem): number {
  return a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column;
}

/** Ok with a value, or all the problems at once. */
export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly problems: readonly Problem[] };
