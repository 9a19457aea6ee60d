/** A scenario on our side, in virtual time: the production step, with silences and inhibition as production asks them. */
import type { GroupState, Member } from "../../src/alert/group.js";
import { findInhibitor } from "../../src/alert/inhibit.js";
import { findSilence, type Silence, stateOfSilence } from "../../src/alert/silence.js";
import { stepGroup } from "../../src/alert/step-group.js";
import { makeRule } from "../support/make-policy.js";
import {
  inOrder,
  labelsOfAlert,
  lineOf,
  type Post,
  type Scenario,
  type ScenarioStep,
} from "./alertmanager-scenario.js";

const TICK_MS = 100;
const LEVELS = ["warning", "critical"];
const START = Date.UTC(2026, 0, 1);

interface Alert {
  readonly name: string;
  readonly labels: Record<string, string>;
  readonly level: string;
  readonly startsAt: number;
  readonly isFiring: boolean;
}

export function runOurs(scenario: Scenario): Post[] {
  const world = new World(scenario);
  for (let ms = 0; ms <= scenario.until * 1_000; ms += TICK_MS) world.tick(ms);
  return inOrder(world.posts);
}

class World {
  readonly posts: Post[] = [];
  readonly #scenario: Scenario;
  readonly #alerts = new Map<string, Alert>();
  readonly #silences = new Map<string, Silence>();
  readonly #groups = new Map<string, GroupState>();
  readonly #steps: ScenarioStep[];

  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#steps = [...scenario.steps];
  }

  tick(ms: number): void {
    const now = START + ms;
    while (this.#steps[0] && this.#steps[0].at * 1_000 <= ms)
      this.#apply(this.#steps.shift()!, now);
    const members = new Map<string, Member[]>();
    for (const alert of this.#alerts.values()) {
      const group = this.#groupOf(alert.labels);
      members.set(group, [...(members.get(group) ?? []), this.#memberOf(alert, now)]);
    }
    for (const [group, all] of members) this.#step(group, all, ms);
  }

  #step(group: string, members: readonly Member[], ms: number): void {
    const { wait, interval, repeat, sendResolved } = this.#scenario.route;
    const timers = {
      ...{ waitMs: wait * 1_000, intervalMs: interval * 1_000 },
      ...{ repeatMs: repeat * 1_000, sendResolved },
    };
    const before = this.#groups.get(group) ?? null;
    const { state, say } = stepGroup(before, members, timers, LEVELS, START + ms);
    if (state) this.#groups.set(group, JSON.parse(JSON.stringify(state)) as GroupState);
    else this.#groups.delete(group);
    if (!say) return;
    const status = say.action === "trigger" ? "firing" : "resolved";
    const firing = say.firing.map(({ instance }) => instance);
    this.posts.push({ at: ms / 1_000, group, line: lineOf(status, firing, say.resolved) });
  }

  #apply(step: ScenarioStep, now: number): void {
    for (const name of step.fire ?? []) {
      const known = this.#alerts.get(name);
      const startsAt = known?.isFiring ? known.startsAt : now - (step.startedAgo ?? 0) * 1_000;
      const { level = "warning" } = step;
      const labels = labelsOfAlert(name);
      this.#alerts.set(name, { name, labels, level, startsAt, isFiring: true });
    }
    for (const name of step.resolve ?? [])
      this.#alerts.set(name, { ...this.#alerts.get(name)!, isFiring: false });
    if (step.silence) this.#silences.set(step.silence.id, silenceOf(step.silence, now));
    const ended = this.#silences.get(step.expire ?? "");
    if (ended) this.#silences.set(ended.id, { ...ended, endsAt: new Date(now) });
  }

  #groupOf(labels: Readonly<Record<string, string>>): string {
    return this.#scenario.route.groupBy.map((name) => labels[name] ?? "").join(",");
  }

  #memberOf({ name, labels, level, startsAt, isFiring }: Alert, now: number): Member {
    return {
      ...{ instance: name, labels, startsAt, endedByEdit: false, coolingUntil: null },
      level: isFiring ? level : null,
      severity: isFiring ? "sev3" : null,
      mutedBy: isFiring ? this.#mutedBy(labels, now) : null,
    };
  }

  #mutedBy(labels: Record<string, string>, now: number): Member["mutedBy"] {
    const silences = [...this.#silences.values()];
    const active = silences.filter((one) => stateOfSilence(one, new Date(now)) === "active");
    if (findSilence(active, labels, "sev3") !== null) return "silence";
    const rules = this.#scenario.inhibit.map(({ source, target, equal }) =>
      makeRule({ name: target, inhibitedBy: [{ rule: source, equal }] }),
    );
    const firing = [...this.#alerts.values()]
      .filter((one) => one.isFiring)
      .map((one) => ({ rule: one.labels.alertname!, labels: one.labels }));
    const target = { rule: labels.alertname!, labels };
    return findInhibitor(target, firing, rules) === null ? null : "inhibition";
  }
}

function silenceOf(wish: NonNullable<ScenarioStep["silence"]>, now: number): Silence {
  return {
    ...{ id: wish.id, source: "api", name: null, matchers: wish.matchers, createdBy: "ann" },
    ...{ comment: "a scenario", silencesPages: false, updatedAt: new Date(now) },
    startsAt: new Date(now),
    endsAt: new Date(now + wish.for * 1_000),
  };
}
