/** What happens to an Alertmanager's route in a few seconds, as data: the same file drives the daemon and us. */
import { readFile } from "node:fs/promises";

export interface ScenarioMatcher {
  readonly name: string;
  readonly value: string;
  readonly isRegex: boolean;
  readonly isEqual: boolean;
}

export interface ScenarioSilence {
  readonly id: string;
  readonly matchers: readonly ScenarioMatcher[];
  /** Seconds. */
  readonly for: number;
}

/** `at` in seconds from the beginning. Alerts are `name` or `name@host`. */
export interface ScenarioStep {
  readonly at: number;
  readonly fire?: readonly string[];
  /** It began that many seconds before it is pushed. */
  readonly startedAgo?: number;
  readonly level?: "warning" | "critical";
  readonly resolve?: readonly string[];
  readonly silence?: ScenarioSilence;
  /** Id of a silence. */
  readonly expire?: string;
}

export interface Scenario {
  readonly name: string;
  readonly key: string;
  /** Seconds. */
  readonly route: {
    readonly wait: number;
    readonly interval: number;
    readonly repeat: number;
    readonly groupBy: readonly string[];
    readonly sendResolved: boolean;
  };
  readonly inhibit: readonly {
    readonly source: string;
    readonly target: string;
    readonly equal: readonly string[];
  }[];
  readonly steps: readonly ScenarioStep[];
  /** Seconds after which nothing counts any more. */
  readonly until: number;
  /** What a receiver hears: of each group in turn, `status alert alert…`, with `-` behind what is over. */
  readonly expect: readonly string[];
  /** Where we differ on purpose: why, and what Alertmanager says. */
  readonly differs?: string;
  readonly theirs?: readonly string[];
  /** By so many seconds at least we speak earlier at the end. */
  readonly earlier?: number;
  /** Both speak first within so many seconds. */
  readonly within?: number;
}

/** One message to the receiver. */
export interface Post {
  /** Seconds from the beginning. */
  readonly at: number;
  /** The group, by the values of its labels. */
  readonly group: string;
  readonly line: string;
}

const FILES = ["dedup", "timers", "silences", "inhibition", "differences"];
const ROUTE = { wait: 1, interval: 2, repeat: 60, groupBy: [], sendResolved: true };

export async function readScenarios(): Promise<Scenario[]> {
  const files = await Promise.all(
    FILES.map((name) => readFile(new URL(`scenarios/${name}.json`, import.meta.url), "utf8")),
  );
  const written = files.flatMap((text) => JSON.parse(text) as WrittenScenario[]);
  return written.map((scenario, n) => ({
    ...{ inhibit: [], until: 8.6, ...scenario, key: `s${n}` },
    route: { ...ROUTE, ...scenario.route },
    steps: scenario.steps.map(withDefaults),
  }));
}

type WrittenScenario = Omit<Scenario, "key" | "route" | "inhibit" | "until"> & {
  readonly inhibit?: Scenario["inhibit"];
  readonly until?: number;

  readonly route?: Partial<Scenario["route"]>;
};

function withDefaults(step: ScenarioStep): ScenarioStep {
  if (!step.silence) return step;
  const matchers = step.silence.matchers.map((one) => ({ ...MATCHER, ...one }));
  return { ...step, silence: { ...step.silence, matchers } };
}

const MATCHER = { isRegex: false, isEqual: true };

export function labelsOfAlert(alert: string): Record<string, string> {
  const [alertname = "", host] = alert.split("@");
  return host === undefined ? { alertname } : { alertname, host };
}

export function nameOfAlert({ alertname = "", host }: Readonly<Record<string, string>>): string {
  return host ? `${alertname}@${host}` : alertname;
}

export function lineOf(
  status: "firing" | "resolved",
  firing: readonly string[],
  over: readonly string[],
): string {
  return [status, ...[...firing, ...over.map((name) => `${name}-`)].sort()].join(" ");
}

/** In the order in which a person would read them: group by group. */
export function inOrder(posts: readonly Post[]): Post[] {
  return [...posts].sort((a, b) =>
    a.group === b.group ? a.at - b.at : a.group < b.group ? -1 : 1,
  );
}
