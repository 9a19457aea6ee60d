/**
 * Samples and the heartbeat as DogStatsD datagrams, for the Datadog agent beside us
 * (docs.datadoghq.com/developers/dogstatsd/datagram_shell). Fire and forget: nobody waits for a datagram, what does not
 * go out is counted and told once a minute. Nothing is spoken to but the agent's address; the key is the agent's.
 */
import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { ExportedSample, MetricsSink } from "../alert/port.js";
import { type Clock, systemClock } from "../base/clock.js";
import { errorMessage } from "../base/fault.js";

/** What fits into one Ethernet frame after IP and UDP: the agent's own recommendation. */
const DATAGRAM_BYTES_MAX = 1_432;
/** Given to the system and not yet taken: beyond that the newest are dropped. */
const PENDING_MAX = 1_000;
/** Counters whose last value is remembered; the store holds fewer series. */
const COUNTERS_MAX = 20_000;
/** Datadog cuts tags there. */
const TAG_LENGTH_MAX = 200;
const TELL_EVERY_MS = 60_000;
/** The agent's task may be replaced, and its name then means another address. */
const ASK_EVERY_MS = 60_000;

const HEARTBEAT = "algobrain.orchestrator.heartbeat";
const STATUS = { ok: 0, critical: 2 } as const;

export interface LostDatagrams {
  readonly datagrams: number;
  /** The last error. */
  readonly error: string;
}

export interface DogstatsdOptions {
  readonly host: string;
  readonly port: number;
  /** On every line: `system`, `env`. */
  readonly tags: Readonly<Record<string, string>>;
  /** At most once a minute; the next batch tells what was lost before it. */
  readonly onLost?: (lost: LostDatagrams) => void;
  readonly clock?: Clock;
  /** The address of a host; the system's resolver by default. */
  readonly lookup?: (host: string) => Promise<string>;
}

export function createDogStatsd(options: DogstatsdOptions): MetricsSink {
  const wire = new Wire(options);
  const increases = new Increases();
  const tags = Object.entries(options.tags);
  return {
    send: (samples) => wire.send(samples.flatMap((sample) => lineOf(sample, tags, increases))),
    heartbeat: (isAlive) => {
      const status = isAlive ? STATUS.ok : STATUS.critical;
      wire.send([`_sc|${HEARTBEAT}|${status}${tagText(tags)}`]);
    },
    close: () => wire.close(),
  };
}

type Tags = readonly (readonly [string, string])[];

function lineOf(sample: ExportedSample, tags: Tags, increases: Increases): string[] {
  const { metric, kind, labels, value } = sample;
  if (!Number.isFinite(value)) return [];
  const all = tagText([...tags, ...Object.entries(labels)]);
  if (kind === "gauge") return [`${metric}:${value}|g${all}`];
  const grown = increases.since(`${metric}${all}`, value);
  return grown === null ? [] : [`${metric}:${grown}|c${all}`];
}

function tagText(tags: Tags): string {
  if (tags.length === 0) return "";
  return `|#${tags.map(([name, value]) => `${plain(name)}:${plain(value)}`).join(",")}`;
}

/** What would end a tag, a field or a line there. */
function plain(text: string): string {
  return text.replace(/[|,#:\s]/g, "_").slice(0, TAG_LENGTH_MAX);
}

/** The agent adds up what it is sent: it is told what a counter grew by. */
class Increases {
  readonly #last = new Map<string, number>();

  /** Null for the first sight of a series: what it counted before is not news. A fall is a restart from zero. */
  since(series: string, value: number): number | null {
    const before = this.#last.get(series);
    if (before === undefined && this.#last.size >= COUNTERS_MAX) return null;
    this.#last.set(series, value);
    if (before === undefined) return null;
    return value < before ? value : value - before;
  }
}

/** Where the agent is. A name is asked for one at a time and once a minute: the system has few threads for it. */
class Address {
  readonly #options: DogstatsdOptions;
  readonly #clock: Clock;
  #found: string | null;
  #askedAt = Number.NEGATIVE_INFINITY;
  #isAsking = false;

  constructor(options: DogstatsdOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#found = isIP(options.host) === 0 ? null : options.host;
  }

  get found(): string | null {
    return this.#found;
  }

  /** @param then with the error, or null when there is an address */
  refresh(then: (error: string | null) => void): void {
    const now = this.#clock.now().getTime();
    if (isIP(this.#options.host) !== 0 || this.#isAsking) return;
    if (now - this.#askedAt < ASK_EVERY_MS) {
      if (this.#found === null) then(`${this.#options.host} has no address`);
      return;
    }
    this.#askedAt = now;
    this.#isAsking = true;
    const ask = this.#options.lookup ?? lookupHost;
    ask(this.#options.host)
      .then((address) => {
        this.#found = address;
        then(null);
      })
      .catch((error: unknown) => then(errorMessage(error)))
      .finally(() => {
        this.#isAsking = false;
      });
  }
}

async function lookupHost(host: string): Promise<string> {
  return (await lookup(host, { family: 4 })).address;
}

class Wire {
  readonly #socket: Socket;
  readonly #options: DogstatsdOptions;
  readonly #clock: Clock;
  readonly #address: Address;
  /** Until the agent's address is known. */
  #held: string[] = [];
  #pending = 0;
  #lost = 0;
  #lastError = "";
  #toldAt = Number.NEGATIVE_INFINITY;
  #isClosed = false;
  #whenQuiet: (() => void) | null = null;

  constructor(options: DogstatsdOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#address = new Address(options, this.#clock);
    this.#socket = createSocket(isIP(options.host) === 6 ? "udp6" : "udp4");
    // An agent that is not there must stop nobody, neither from working nor from ending.
    this.#socket.on("error", (error) => this.#lose(1, errorMessage(error)));
    this.#socket.unref();
  }

  send(lines: readonly string[]): void {
    if (this.#isClosed) return;
    this.#tell();
    for (const datagram of packed(lines)) this.#give(datagram);
    this.#address.refresh((error) => this.#settle(error));
  }

  /** Ends when the system has taken what it was given; nobody waits for a name. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#pending > 0) {
      await new Promise<void>((resolve) => {
        this.#whenQuiet = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      this.#socket.close(resolve);
    });
  }

  #give(datagram: string): void {
    const host = this.#address.found;
    if (this.#pending + this.#held.length >= PENDING_MAX)
      this.#lose(1, `${PENDING_MAX} datagrams wait already`);
    else if (host === null) this.#held.push(datagram);
    else this.#write(datagram, host);
  }

  #write(datagram: string, host: string): void {
    this.#pending += 1;
    this.#socket.send(datagram, this.#options.port, host, (error) => {
      this.#pending -= 1;
      if (error) this.#lose(1, errorMessage(error));
      if (this.#pending === 0) this.#whenQuiet?.();
    });
  }

  /** What was held goes out, or is lost. */
  #settle(error: string | null): void {
    const held = this.#held;
    this.#held = [];
    const host = this.#address.found;
    if (host === null) this.#lose(held.length, error ?? "no address");
    else if (!this.#isClosed) for (const datagram of held) this.#write(datagram, host);
  }

  #lose(datagrams: number, error: string): void {
    this.#lost += datagrams;
    this.#lastError = error;
  }

  #tell(): void {
    const now = this.#clock.now().getTime();
    if (this.#lost === 0 || now - this.#toldAt < TELL_EVERY_MS) return;
    this.#options.onLost?.({ datagrams: this.#lost, error: this.#lastError });
    this.#toldAt = now;
    this.#lost = 0;
  }
}

/** Whole lines, as many to a datagram as fit. A line that fits into none is sent alone: the network may still take it. */
function packed(lines: readonly string[]): string[] {
  const datagrams: string[] = [];
  let open = "";
  for (const line of lines) {
    const longer = open === "" ? line : `${open}\n${line}`;
    if (open !== "" && Buffer.byteLength(longer) > DATAGRAM_BYTES_MAX) {
      datagrams.push(open);
      open = line;
    } else open = longer;
  }
  return open === "" ? datagrams : [...datagrams, open];
}
