/**
 * Which handlers have started, kept where a killed process cannot take it along: in a small file that the next
 * process on this machine reads, and in memory that the heartbeat thread sends along with each beat. Only jobs
 * whose handler had started can be blamed for the death of their worker.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

/** More handlers at once than any process runs; those beyond leave no evidence. */
const SLOTS = 4_096;
const SLOT_BYTES = 8;

/** By handlers of one job: a job that was reset may come again before its former handler has ended. */
interface Taken {
  readonly slot: number;
  handlers: number;
}

export class StartedJobs {
  /** One number a slot, 0 for none; read by the heartbeat thread. */
  readonly shared = new SharedArrayBuffer(SLOTS * SLOT_BYTES);
  readonly #slots = new Float64Array(this.shared);
  readonly #free: number[] = [];
  readonly #taken = new Map<number, Taken>();
  /** What the file holds. */
  readonly #image = Buffer.alloc(SLOTS * SLOT_BYTES);
  readonly #file: { readonly fd: number; readonly path: string } | null;
  #used = 0;

  /** Null: no file; then only what a beat said is known of a dead process. */
  constructor(path: string | null) {
    this.#file = path === null ? null : { fd: openFile(path), path };
  }

  get path(): string | null {
    return this.#file?.path ?? null;
  }

  /** Before the handlers start: it may be the last thing that this process does. Several that start at once are one write. */
  add(seqs: readonly number[]): void {
    let first = SLOTS;
    let last = -1;
    for (const seq of seqs) {
      const known = this.#taken.get(seq);
      if (known !== undefined) {
        known.handlers += 1;
        continue;
      }
      const slot = this.#free.pop() ?? this.#used++;
      if (slot >= SLOTS) continue;
      this.#taken.set(seq, { slot, handlers: 1 });
      this.#slots[slot] = seq;
      this.#image.writeDoubleLE(seq, slot * SLOT_BYTES);
      first = Math.min(first, slot);
      last = Math.max(last, slot);
    }
    if (this.#file === null || last < 0) return;
    const from = first * SLOT_BYTES;
    writeSync(this.#file.fd, this.#image, from, (last + 1) * SLOT_BYTES - from, from);
  }

  /** The file keeps the number until the slot is taken again: a job that is settled is not looked for. */
  remove(seq: number): void {
    const taken = this.#taken.get(seq);
    if (taken === undefined) return;
    taken.handlers -= 1;
    if (taken.handlers === 0) this.#forget(seq, taken);
  }

  #forget(seq: number, { slot }: Taken): void {
    this.#taken.delete(seq);
    this.#slots[slot] = 0;
    this.#free.push(slot);
  }

  /** Whatever becomes of this process, this job is not to blame. */
  acquit(seq: number): void {
    const taken = this.#taken.get(seq);
    if (taken === undefined) return;
    this.#forget(seq, taken);
    const at = taken.slot * SLOT_BYTES;
    this.#image.writeDoubleLE(0, at);
    if (this.#file !== null) writeSync(this.#file.fd, this.#image, at, SLOT_BYTES, at);
  }

  async close(): Promise<void> {
    if (this.#file === null) return;
    closeSync(this.#file.fd);
    await rm(this.#file.path, { force: true });
  }
}

function openFile(path: string): number {
  mkdirSync(join(path, ".."), { recursive: true, mode: 0o700 });
  return openSync(path, "w", 0o600);
}

export function startedJobsPath(folder: string, workerId: string): string {
  return join(folder, `${workerId}.started`);
}

/** What the file of a process says, dead or alive; null when there is none, so on another machine. */
export async function readStartedJobs(path: string): Promise<number[] | null> {
  try {
    const bytes = await readFile(path);
    const count = Math.floor(bytes.length / SLOT_BYTES);
    const slots = Array.from({ length: count }, (_, i) => bytes.readDoubleLE(i * SLOT_BYTES));
    return slots.filter((seq) => seq > 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}
