/**
 * One page past the outbox, for the one trouble that the outbox cannot tell: the database itself is away. The dedup
 * key is one for all processes and restarts, so that PagerDuty opens one incident; chat has no such key, so one
 * process of a home speaks there. What was told is noted in the home, and in the journal for the audit log.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dedupKeyOf, WHOLE } from "../alert/instance.js";
import type { Delivery, Notifier } from "../alert/port.js";
import type { Clock } from "../base/clock.js";
import { formatAge } from "../base/duration.js";
import { errorMessage } from "../base/fault.js";
import { isJsonObject } from "../base/json.js";
import type { Logger } from "../base/log.js";
import type { Message } from "../message/message.js";
import type { PolicySet, Receiver } from "../policy/policy.js";
import type { Journal } from "../runbook/journal.js";
import type { Tick } from "./ticker.js";

/** Away for this long wakes somebody: longer than a restart or a change of the primary takes. */
export const PAGE_AFTER_MS = 20_000;
/** Good answers for this long end it: a server that comes and goes is one trouble. */
export const RESOLVE_AFTER_MS = 60_000;
const LOOK_EVERY_MS = 5_000;
/** No rule is called so: this one cannot be judged from samples. */
const RULE = "database-down";

export interface AwayState {
  readonly awaySince: Date | null;
  readonly goodSince: Date | null;
}

export const CALM: AwayState = { awaySince: null, goodSince: null };

/** `null`: nothing to say at this moment. */
export function judgeAway(
  before: AwayState,
  isAway: boolean,
  now: Date,
): { readonly state: AwayState; readonly say: Delivery["action"] | null } {
  const state = isAway
    ? { awaySince: before.awaySince ?? now, goodSince: null }
    : { awaySince: null, goodSince: before.goodSince ?? now };
  const heldMs = (since: Date | null) => (since === null ? 0 : now.getTime() - since.getTime());
  if (isAway) return { state, say: heldMs(state.awaySince) >= PAGE_AFTER_MS ? "trigger" : null };
  return { state, say: heldMs(state.goodSince) >= RESOLVE_AFTER_MS ? "resolve" : null };
}

export interface DirectPageDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly policy: () => PolicySet;
  /** Not those that ask the database first whether their dependency is well. */
  readonly notifiers: ReadonlyMap<Receiver["kind"], Notifier>;
  /** Over a session of its own, with a short deadline: a busy pool is no outage. Throws when nobody answers. */
  readonly probe: () => Promise<"writable" | "read-only">;
  readonly journal: Journal | null;
  /** Path of the note of what was told, in the home. */
  readonly noteFile: string;
}

/** What was found wrong, as one clause. */
interface Trouble {
  readonly found: string;
  readonly since: Date;
}

/** A tick for `runTicks`, in one process of a home at least. */
export function directPageTick(deps: DirectPageDeps): Tick {
  const pager = new DirectPager(deps);
  return {
    name: "direct-page",
    everyMs: LOOK_EVERY_MS,
    run: (now, signal) => pager.look(now, signal),
  };
}

class DirectPager {
  readonly #deps: DirectPageDeps;
  #state = CALM;
  /** Names of receivers that this process told. */
  #told = new Set<string>();
  #found = "";
  /** Whoever has made the note of this trouble speaks where nobody folds what is said twice. */
  #isSpeaker = false;
  #isNoteRead = false;

  constructor(deps: DirectPageDeps) {
    this.#deps = deps;
  }

  async look(now: Date, signal: AbortSignal): Promise<void> {
    await this.#readNote();
    const isAway = await this.#isAway();
    // What a probe took to fail belongs to the outage.
    const { state, say } = judgeAway(this.#state, isAway, isAway ? now : this.#deps.clock.now());
    this.#state = state;
    if (say === "trigger")
      await this.#page({ found: this.#found, since: state.awaySince! }, signal);
    if (say === "resolve" && (this.#isSpeaker || this.#told.size > 0)) await this.#resolve(signal);
  }

  async #isAway(): Promise<boolean> {
    try {
      const answer = await this.#deps.probe();
      this.#found = "it is read-only";
      return answer === "read-only";
    } catch (thrown) {
      this.#found = errorMessage(thrown);
      return true;
    }
  }

  async #page(trouble: Trouble, signal: AbortSignal): Promise<void> {
    const { log, journal } = this.#deps;
    this.#isSpeaker ||= await this.#claimNote(trouble);
    for (const receiver of this.#receivers()) {
      const maySpeak = receiver.kind === "pagerduty" || this.#isSpeaker;
      if (!maySpeak || this.#told.has(receiver.name)) continue;
      const message = messageOf(trouble, this.#deps.clock.now());
      const reference = await this.#deliver(receiver, "trigger", message, signal);
      if (reference === null) continue;
      this.#told.add(receiver.name);
      await this.#writeNote(trouble);
      const { dedupKey } = this.#names();
      const key = `page/${dedupKey}/${trouble.since.toISOString()}/${receiver.name}`;
      const entry = { kind: "page", severity: "sev1", key, dedupKey, reference } as const;
      try {
        await journal?.append({ ...entry, title: message.title });
      } catch (thrown) {
        log.error("page.unjournalled", { receiver: receiver.name, error: errorMessage(thrown) });
      }
    }
  }

  async #resolve(signal: AbortSignal): Promise<void> {
    const message: Message = { tone: "good", title: "Over: the database takes rows again" };
    const told = this.#receivers().filter(({ name }) => this.#told.has(name));
    for (const receiver of told) {
      if ((await this.#deliver(receiver, "resolve", message, signal)) !== null)
        this.#told.delete(receiver.name);
    }
    // A receiver that is not in the routes any more cannot be told.
    const known = new Set(told.map(({ name }) => name));
    this.#told = new Set([...this.#told].filter((name) => known.has(name)));
    if (this.#told.size > 0) return;
    if (this.#isSpeaker) await rm(this.#deps.noteFile, { force: true });
    this.#isSpeaker = false;
  }

  #receivers(): Receiver[] {
    const { runtimeReceivers, receivers } = this.#deps.policy().routes;
    return runtimeReceivers.critical.flatMap((name) => receivers[name] ?? []);
  }

  #names() {
    const { system } = this.#deps.policy();
    return { dedupKey: dedupKeyOf(system, RULE, WHOLE), source: `${system}/${RULE}` };
  }

  /** The receiver's own name of it; null: it could not be told, and is tried at the next look. */
  async #deliver(
    receiver: Receiver,
    action: Delivery["action"],
    message: Message,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { notifiers, log } = this.#deps;
    const notifier = notifiers.get(receiver.kind);
    if (!notifier) return null;
    const details = { rule: RULE, host: hostname() };
    const unkept = { noticeId: null, alerts: 1 };
    const delivery = { receiver, action, severity: "sev1", message, details, ...unkept } as const;
    try {
      const { reference } = await notifier.deliver({ ...delivery, ...this.#names() }, signal);
      log.warn("page.sent", { receiver: receiver.name, action });
      return reference ?? receiver.name;
    } catch (thrown) {
      log.error("page.failed", { receiver: receiver.name, action, error: errorMessage(thrown) });
      return null;
    }
  }

  /** False: another process of this home has made it. */
  async #claimNote(trouble: Trouble): Promise<boolean> {
    try {
      await writeFile(this.#deps.noteFile, noteOf(trouble, []), { flag: "wx" });
      return true;
    } catch (error) {
      // A home that cannot be written to must not keep anybody silent.
      return (error as NodeJS.ErrnoException).code !== "EEXIST";
    }
  }

  /** After a restart in the midst of it nobody is told again, and the end is told to all who heard of it. */
  async #readNote(): Promise<void> {
    if (this.#isNoteRead) return;
    this.#isNoteRead = true;
    const told = await readNote(this.#deps.noteFile);
    if (told === null) return;
    this.#isSpeaker = true;
    this.#told = new Set(told);
  }

  async #writeNote(trouble: Trouble): Promise<void> {
    if (!this.#isSpeaker) return;
    try {
      await writeFile(this.#deps.noteFile, noteOf(trouble, [...this.#told]));
    } catch (thrown) {
      this.#deps.log.warn("page.unnoted", { error: errorMessage(thrown) });
    }
  }
}

function noteOf({ since }: Trouble, told: readonly string[]): string {
  return `${JSON.stringify({ since: since.toISOString(), told })}\n`;
}

/** Names of who was told. Null: there is no note, or it cannot be understood; then people are told once more. */
async function readNote(path: string): Promise<readonly string[] | null> {
  try {
    const note: unknown = JSON.parse(await readFile(path, "utf8"));
    if (!isJsonObject(note) || !Array.isArray(note.told)) return null;
    return note.told.filter((name) => typeof name === "string");
  } catch {
    // Not there, or torn by a power cut: PagerDuty folds what is said twice.
    return null;
  }
}

function messageOf({ found, since }: Trouble, now: Date): Message {
  return {
    tone: "bad",
    title: "The database does not take rows: nothing is scheduled and no run goes on",
    text: "Commands, incidents and deliveries are kept on this machine and carried out when it is back. `algobrain runbook run preflight-check --offline` looks at everything without it.",
    fields: [
      { label: "Found", value: found.slice(0, 500) },
      {
        label: "Since",
        value: `${since.toISOString()} (${formatAge(now.getTime() - since.getTime())})`,
      },
      { label: "Seen from", value: hostname() },
    ],
  };
}
