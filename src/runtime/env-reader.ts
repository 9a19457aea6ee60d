/** Reads typed values out of an environment and collects everything that is wrong with it. */
import { didYouMean } from "../base/similar.js";

export type Env = Readonly<Record<string, string | undefined>>;

export interface ConfigProblem {
  /** The variables concerned: two when they contradict each other (X-37). */
  readonly names: readonly string[];
  /** One sentence: what was found, what is expected, what to do. Never the value of a secret. */
  readonly message: string;
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** An empty variable counts as unset: that is what `NAME= algobrain` and empty secrets mean. */
export class EnvReader {
  readonly #env: Env;
  readonly #known = new Set<string>();
  readonly problems: ConfigProblem[] = [];

  constructor(env: Env) {
    this.#env = env;
  }

  text(name: string): string | null {
    this.#known.add(name);
    const value = this.#env[name]?.trim();
    return value === undefined || value === "" ? null : value;
  }

  integer(name: string, range: Range): number | null {
    const text = this.text(name);
    if (text === null) return null;
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= range.min && value <= range.max) return value;
    this.refuse(name, text, `a whole number from ${range.min} to ${range.max}`);
    return null;
  }

  flag(name: string): boolean | null {
    const text = this.text(name);
    if (text === null) return null;
    if (text === "true" || text === "false") return text === "true";
    this.refuse(name, text, "true or false");
    return null;
  }

  oneOf<T extends string>(name: string, allowed: readonly T[]): T | null {
    const text = this.text(name);
    if (text === null) return null;
    const found = allowed.find((value) => value === text);
    if (found === undefined) {
      this.refuse(name, text, `one of ${allowed.join(", ")}`, didYouMean(text, allowed));
    }
    return found ?? null;
  }

  list(name: string): string[] {
    return (this.text(name) ?? "")
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "");
  }

  /** The whole URL may hold a password, so a bad one is never quoted. */
  url(name: string, protocols: readonly string[]): URL | null {
    const text = this.text(name);
    if (text === null) return null;
    const expected = `a URL that starts with ${protocols.map((one) => `${one}//`).join(" or ")}`;
    if (!URL.canParse(text)) {
      this.problem([name], `${name}: found something that is no URL, expected ${expected}`);
      return null;
    }
    const url = new URL(text);
    if (protocols.includes(url.protocol)) return url;
    this.problem([name], `${name}: found a URL with ${url.protocol}//, expected ${expected}`);
    return null;
  }

  refuse(name: string, found: string, expected: string, hint?: string): void {
    const sentence = `${name}: found "${found}", expected ${expected}`;
    this.problem([name], hint === undefined ? sentence : `${sentence} (${hint})`);
  }

  problem(names: readonly string[], message: string): void {
    this.problems.push({ names, message });
  }

  /** Sentences about names that are set, not ours, and near to one of ours (X-55). */
  strangers(): string[] {
    return Object.keys(this.#env)
      .filter((name) => !this.#known.has(name) && this.#env[name] !== undefined)
      .flatMap((name) => this.#stranger(name));
  }

  #stranger(name: string): string[] {
    // Short names (HOME, PATH) are near to HOST and PORT without meaning them.
    const hint = name.length < SHORTEST_GUESS ? undefined : didYouMean(name, this.#known);
    if (hint !== undefined) return [`${name} is set but unknown and has no effect (${hint})`];
    return OUR_PREFIX.test(name) ? [`${name} is set but unknown and has no effect`] : [];
  }
}

const SHORTEST_GUESS = 6;
const OUR_PREFIX = /^(?:ALGOBRAIN|HEALDEC|ORCHESTRATOR|WORKER_CONCURRENCY|PAGERDUTY|GITOPS)_/;
