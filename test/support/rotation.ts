/** What rotations of secrets are rehearsed in: a made-up account whose deployments are through at once, and what is seen of a run. */
import { systemClock } from "../../src/base/clock.js";
import type { JsonObject } from "../../src/base/json.js";
import type { Run } from "../../src/runbook/run.js";
import type { RunbookHandlerDeps } from "../../src/runtime/handler/runbook.js";
import { type AwsWorld, makeAwsWorld } from "./aws-world.js";
import { type RunbookGround, rehearse, takeBack } from "./runbook.js";

/** By their place in Secrets Manager. */
export const pathOf = (secret: string) => `algobrain/prod/${secret}`;

/** In the order in which they are restarted. */
export const ALL_READERS = ["orchestrator", "workers", "api"];

export class RotationScene {
  world: AwsWorld;

  /** @param care in place of what the world has */
  constructor(
    readonly ground: RunbookGround,
    readonly care?: RunbookHandlerDeps["care"],
  ) {
    this.world = makeRotationWorld();
  }

  other() {
    const { aws } = this.world;
    return {
      openAws: async () => ({ aws, close: async () => {} }),
      ...(this.care ? { care: this.care } : {}),
    };
  }

  run(name: string, params: JsonObject = {}, more: { dryRun?: boolean } = {}) {
    return rehearse(this.ground, name, { params, ...more, other: this.other() });
  }

  takeBack(original: Run) {
    return takeBack(this.ground, original, { other: this.other() });
  }

  place(secret: string, value: string, stage?: string): void {
    this.world.secrets.place(pathOf(secret), value, stage);
  }

  valueOf(secret: string): string {
    return this.world.secrets.valueOf(pathOf(secret)) ?? "";
  }

  restarted(): string[] {
    return this.world.calls
      .filter(({ operation }) => operation === "updateService")
      .map(({ target }) => target);
  }

  /** Everything of a run that people or later readers may see, and every record of a call. */
  async seen(id: string): Promise<string> {
    const { rows } = await this.ground.db.query<{ text: string }>(
      `SELECT coalesce(string_agg(t, ' '), '') AS text FROM (
         SELECT to_jsonb(r)::text AS t FROM control.run r WHERE id = $1
         UNION ALL SELECT to_jsonb(s)::text FROM control.run_step s
         UNION ALL SELECT to_jsonb(l)::text FROM control.run_line l
         UNION ALL SELECT to_jsonb(a)::text FROM public.audit_log a) AS all_of_it`,
      [id],
    );
    return `${rows[0]!.text} ${JSON.stringify(this.world.calls)}`;
  }
}

/** @param shiftMs how far its clock is from now */
export function makeRotationWorld(shiftMs = 0): AwsWorld {
  const made = makeAwsWorld({ now: () => new Date(systemClock.now().getTime() + shiftMs) });
  for (const name of ALL_READERS) made.services.fateOf(name).looks = 0;
  return made;
}
