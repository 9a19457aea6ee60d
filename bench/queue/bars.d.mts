/** One measured step, as the harness writes it. */
export interface Row {
  readonly kind: string;
  readonly peer: string;
  readonly [field: string]: unknown;
}

export interface RawLimit {
  readonly table: string;
  readonly rate: number;
}

export interface Judged {
  readonly bar: string;
  readonly figure: string;
  /** Null: something was not measured. */
  readonly met: boolean | null;
}

export type Part =
  | "peers"
  | "depth"
  | "xmin"
  | "direct"
  | "pooled"
  | "uncapped"
  | "capped"
  | "crash";

export function judge(measured: {
  readonly rows: Readonly<Record<Part, readonly Row[]>>;
  readonly rawLimit: readonly RawLimit[] | undefined;
}): Judged[];

export function barTable(judged: readonly Judged[]): string;
