/** Pull requests of a stand-in GitHub: opened over HTTP, merged, closed and reverted by whoever holds the stand-in. */
import type { StandInCommit, StandInCommits, StandInFiles } from "./github-commits.js";
import {
  pullObject,
  pushEvent,
  repositoryObject,
  type StandInPlace,
  type StandInPull,
  userObject,
} from "./github-objects.js";

export interface StandInPullsDeps {
  readonly commits: StandInCommits;
  readonly now: () => Date;
  /** A webhook. */
  readonly send: (event: string, payload: unknown) => void;
  readonly place: () => StandInPlace;
}

interface NewPull {
  readonly head: string;
  readonly base: string;
  readonly title: string;
  readonly body: string;
  readonly author: string;
}

/** Who presses the buttons on the page. */
const MAINTAINER = "maintainer";

export class StandInPulls {
  readonly #deps: StandInPullsDeps;
  #pulls: StandInPull[] = [];

  constructor(deps: StandInPullsDeps) {
    this.#deps = deps;
  }

  /** Oldest first. */
  list(): readonly StandInPull[] {
    return this.#pulls;
  }

  get(number: number): StandInPull | null {
    return this.#pulls.find((pull) => pull.number === number) ?? null;
  }

  /** GitHub's sentence when it refuses. */
  open({ head, base, title, body, author }: NewPull): StandInPull | string {
    const { commits, now, place } = this.#deps;
    const headSha = commits.branch(head);
    const baseSha = commits.branch(base);
    if (headSha === null || baseSha === null) return `The ref ${head} or ${base} does not exist`;
    const [owner] = place().name.split("/");
    const isOpen = this.#pulls.some((pull) => pull.head === head && pull.state === "open");
    if (isOpen) return `A pull request already exists for ${owner}:${head}.`;
    if (headSha === baseSha) return `No commits between ${base} and ${head}`;
    const pull: StandInPull = {
      ...{ number: this.#pulls.length + 1, title, body, author, head, headSha, base, baseSha },
      ...{ state: "open", createdAt: now().toISOString() },
      ...{ closedAt: null, mergedAt: null, mergeCommit: null },
    };
    this.#pulls = [...this.#pulls, pull];
    this.#tell(pull, "opened");
    return pull;
  }

  /** Merges what its commit has changed into what the base holds by now; returns the new commit of the base. */
  merge(number: number): string {
    const pull = this.#openOne(number);
    const { commits } = this.#deps;
    const changed = commits.changes(pull.headSha);
    const after = new Map([...changed].map(([path, change]) => [path, change.after]));
    const merged = this.#push(pull, after, `Merge pull request #${number}`, [pull.headSha]);
    const at = this.#deps.now().toISOString();
    this.#end({ ...pull, mergedAt: at, mergeCommit: merged.sha });
    return merged.sha;
  }

  /** Undoes a merged one on its base, as the button "Revert" and the merge of what it opens do. */
  revert(number: number): string {
    const pull = this.get(number);
    if (pull === null || pull.mergedAt === null) throw new Error(`#${number} is not merged`);
    const changed = this.#deps.commits.changes(pull.headSha);
    const before = new Map([...changed].map(([path, change]) => [path, change.before]));
    return this.#push(pull, before, `Revert "${pull.title}"`, []).sha;
  }

  close(number: number): void {
    this.#end(this.#openOne(number));
  }

  #openOne(number: number): StandInPull {
    const pull = this.get(number);
    if (pull?.state !== "open") throw new Error(`#${number} is not open`);
    return pull;
  }

  #push(
    { base }: StandInPull,
    changes: ReadonlyMap<string, string | null>,
    message: string,
    alsoFrom: readonly string[],
  ): StandInCommit {
    const { commits, now, send, place } = this.#deps;
    const before = commits.branch(base)!;
    const tree = commits.addTree(apply(changes, commits.filesOf(before)));
    const parents = [before, ...alsoFrom];
    const after = commits.addCommit({ tree, parents, message, at: now() });
    commits.setBranch(base, after.sha);
    const push = { branch: base, before, after };
    send("push", pushEvent(push, [...changes.keys()], MAINTAINER, place()));
    return after;
  }

  #end(pull: StandInPull): void {
    const closed = { ...pull, state: "closed" as const, closedAt: this.#deps.now().toISOString() };
    this.#pulls = this.#pulls.map((one) => (one.number === pull.number ? closed : one));
    this.#tell(closed, "closed");
  }

  #tell(pull: StandInPull, action: "opened" | "closed"): void {
    const place = this.#deps.place();
    this.#deps.send("pull_request", {
      action,
      number: pull.number,
      pull_request: pullObject(pull, place),
      repository: repositoryObject(place),
      sender: userObject(action === "opened" ? pull.author : MAINTAINER, place),
    });
  }
}

function apply(changes: ReadonlyMap<string, string | null>, files: StandInFiles): StandInFiles {
  const next = new Map(files);
  for (const [path, sha] of changes) {
    if (sha === null) next.delete(path);
    else next.set(path, sha);
  }
  return next;
}
