/** The one switch that stops every runbook: it is asked before each step, and works without the database. */
export interface Stopped {
  readonly by: string;
  readonly reason: string;
  /** ISO 8601, in UTC. */
  readonly at: string;
  readonly from: "database" | "file";
}

export interface StopOrder {
  readonly by: string;
  readonly reason: string;
}

/** Where an order arrived: one place is enough to stop, both are needed to go on everywhere. */
export interface StopReached {
  readonly file: boolean;
  readonly database: boolean;
}

export interface StopSwitchPort {
  /** Asked before each step and each second meanwhile. The file alone decides when the database is away. */
  read(): Promise<Stopped | null>;
  readLocal(): Stopped | null;
  set(order: StopOrder): Promise<StopReached>;
  clear(order: StopOrder): Promise<StopReached>;
}
